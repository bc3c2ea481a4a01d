# What SpamAssassin has read: one line of JSON for each rule. Arguments: folder of rules, folder of
# the site, file to write.
use strict;
use warnings;
use JSON::PP;
use Mail::SpamAssassin;

my ($rules, $site, $out) = @ARGV;
my $scanner = Mail::SpamAssassin->new({
  rules_filename => $rules,
  site_rules_filename => $site,
  userprefs_filename => '/dev/null',
  dont_copy_prefs => 1,
  local_tests_only => 1,
  # Without it, tests and priorities are gone when the files have been read.
  post_config_text => "allow_user_rules 1\n",
});
local $SIG{__WARN__} = sub { };
$scanner->init(0);
my $conf = $scanner->{conf};

my %evals;
for my $kind (qw(body_evals head_evals rawbody_evals full_evals)) {
  for my $of_priority (values %{$conf->{$kind}}) {
    $evals{$_} = $of_priority->{$_} for keys %$of_priority;
  }
}
$evals{$_} = $conf->{rbl_evals}{$_} for keys %{$conf->{rbl_evals}};

my $json = JSON::PP->new->canonical->latin1;
open my $file, '>', $out or die "$out: $!";
for my $name (sort keys %{$conf->{tests}}) {
  my $flags = $conf->{tflags}{$name} // '';
  my $mime = $conf->{mimeheader_tests}{$name};
  my $uri = $conf->{uri_detail}{$name};
  print $file $json->encode({
    name => $name,
    type => $conf->{test_types}{$name},
    scores => [map { 0 + $conf->{scoreset}[$_]{$name} } 0 .. 3],
    priority => 0 + ($conf->{priority}{$name} || ($flags =~ /\bnet\b/ ? -100 : 0)),
    flags => $flags,
    description => $conf->{descriptions}{$name} // '',
    pattern => defined $conf->{test_qrs}{$name} ? "$conf->{test_qrs}{$name}" : undef,
    field => $conf->{test_opt_header}{$name},
    if_unset => $conf->{test_opt_unset}{$name},
    negated => $conf->{test_opt_neg}{$name} ? 1 : 0,
    exists => $conf->{test_opt_exists}{$name} ? 1 : 0,
    needs => [sort @{$conf->{meta_dependencies}{$name} || []}],
    eval => $evals{$name} ? [$evals{$name}[0], @{$evals{$name}[1]}] : undef,
    mimeheader => $mime ? {
      field => $mime->{hdr},
      negated => $mime->{negated},
      if_unset => $mime->{if_unset},
      pattern => "$mime->{pattern}",
    } : undef,
    uri_detail => $uri ? {map { $_ => [$uri->{$_}[0], "$uri->{$_}[1]"] } keys %$uri} : undef,
  }), "\n";
}
close $file or die "$out: $!";
