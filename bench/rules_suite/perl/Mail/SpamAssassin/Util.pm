package Mail::SpamAssassin::Util;

use strict;
use warnings;
use Exporter 'import';
require Mail::SpamAssassin;

our ($have_libidn, $have_libidn2, $header_address_parser) = (0, 0, 1);
our @EXPORT_OK = qw(untaint_var untaint_file_path compile_regexp parse_rfc822_date);

sub untaint_var { my ($value) = @_; return undef if !defined $value; my ($clean) = $value =~ /(.*)/s; return $clean; }
sub untaint_file_path { return untaint_var(@_); }
sub parse_rfc822_date { return Mail::SpamAssassin::ask('date', text => $_[0]); }
sub uri_list_canonicalize {
  my ($patterns, $uris, $boundaries) = @_;
  return @{ Mail::SpamAssassin::ask('canonical', rules => $boundaries->{main}{arguments},
    uris => ref $uris ? $uris : [$uris]) };
}
sub compile_regexp {
  my ($text, $delimited, $strict) = @_;
  my $found = Mail::SpamAssassin::ask('regexp', text => $text, delimited => $delimited ? 1 : 0,
    strict => $strict ? 1 : 0);
  return wantarray ? ($found->{regexp}, $found->{error}) : $found->{regexp};
}

1;
