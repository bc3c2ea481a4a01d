package Mail::SpamAssassin;

# filterd in SpamAssassin's place, for SpamAssassin's own tests (bench/rules_suite): objects with
# the methods that the tests call. Each asks bench.rules_suite.answers, over a pair of pipes.

use strict;
use warnings;
use IPC::Open2;
use JSON::PP ();
use MIME::Base64 ();

our $VERSION = '4.000002';

my ($to, $from);

sub ask {
  my ($function, %arguments) = @_;
  if (!$to) {
    delete @ENV{qw(IFS CDPATH ENV BASH_ENV)};
    ($ENV{PATH}) = ($ENV{PATH} // '/usr/bin') =~ /(.*)/;
    my ($python) = ($ENV{RULES_SUITE_PYTHON} // die "RULES_SUITE_PYTHON is not set") =~ /(.*)/;
    ($ENV{PYTHONPATH}) = ($ENV{PYTHONPATH} // '') =~ /(.*)/;
    open2($from, $to, $python, '-m', 'bench.rules_suite.answers');
  }
  my %encoded = map { $_ => encode($arguments{$_}) } keys %arguments;
  print {$to} JSON::PP->new->canonical->encode({ function => $function, %encoded }), "\n";
  $to->flush;
  my $line = <$from> // die "no answer to $function";
  my $answer = JSON::PP->new->decode($line);
  die "$answer->{error}\n" if exists $answer->{error};
  return decode($answer->{value});
}

sub encode {
  my ($value) = @_;
  return undef if !defined $value;
  return [ map { encode($_) } @$value ] if ref $value eq 'ARRAY';
  return { map { $_ => encode($value->{$_}) } keys %$value } if ref $value eq 'HASH';
  $value = "$value";
  utf8::encode($value) if utf8::is_utf8($value);
  return MIME::Base64::encode_base64($value, '');
}

sub decode {
  my ($value) = @_;
  return undef if !defined $value;
  return [ map { decode($_) } @$value ] if ref $value eq 'ARRAY';
  return { map { $_ => decode($value->{$_}) } keys %$value } if ref $value eq 'HASH';
  return MIME::Base64::decode_base64($value);
}

sub new {
  my ($class, $arguments) = @_;
  my %known = map { $_ => $arguments->{$_} } grep { !ref $arguments->{$_} } keys %{ $arguments // {} };
  my $self = bless { arguments => \%known, conf => {} }, $class;
  $self->{registryboundaries} = bless { main => $self }, 'Mail::SpamAssassin::RegistryBoundaries';
  return $self;
}

sub init {
  my ($self) = @_;
  my $options = ask('init', rules => $self->{arguments});
  $self->{conf}{$_} = $options->{$_} for keys %$options;
  $self->{conf}{scoreset} = ask('scores', rules => $self->{arguments});
  return 1;
}
sub compile_now { return 1; }
sub finish { return 1; }
sub lint_rules { my ($self) = @_; return 0 + ask('lint', rules => $self->{arguments}); }

sub text_of {
  my ($source) = @_;
  return join('', @$source) if ref $source eq 'ARRAY';
  if (ref $source eq 'GLOB' || ref($source) =~ /^IO::/) { local $/; return scalar <$source>; }
  return $$source if ref $source;
  return $source;
}

sub parse {
  my ($self, $source) = @_;
  my $text = text_of($source);
  my $message = bless { main => $self, text => $text }, 'Mail::SpamAssassin::Message';
  $message->{pristine_body} = ask('pristine_body', message => $text);
  $message->{metadata} = bless { main => $self }, 'Mail::SpamAssassin::Message::Metadata';
  return $message;
}

sub check {
  my ($self, $message) = @_;
  my $status = Mail::SpamAssassin::PerMsgStatus->new($self, $message);
  $status->check();
  my $texts = $status->asks('rendered');
  $message->{body_parts} = [ map { { rendered => $_ } } @$texts ];
  return $status;
}

sub check_message_text { my ($self, $text) = @_; return $self->check($self->parse($text)); }

package Mail::SpamAssassin::Message;

sub finish { return 1; }
sub get_header {
  my ($self, $name) = @_;
  return Mail::SpamAssassin::ask('header', message => $self->{text}, name => $name);
}
sub content_summary {
  my ($self) = @_;
  return @{ Mail::SpamAssassin::ask('summary', message => $self->{text}) };
}
sub find_parts {
  my ($self) = @_;
  my $parts = Mail::SpamAssassin::ask('leaves', message => $self->{text});
  return map { bless { %$_ }, 'Mail::SpamAssassin::Message::Node' } @$parts;
}

package Mail::SpamAssassin::Message::Node;

sub decode { return $_[0]{content}; }

package Mail::SpamAssassin::Message::Metadata;

sub parse_received_line {
  my ($self, $line) = @_;
  my $relay = Mail::SpamAssassin::ask('received', line => $line);
  return $relay eq 'unreadable' ? undef : $relay eq '' ? 0 : { text => $relay };
}
sub make_relay_as_string { return $_[1]{text}; }

package Mail::SpamAssassin::RegistryBoundaries;

sub uri_to_domain {
  my ($self, $uri) = @_;
  return Mail::SpamAssassin::ask('domain', rules => $self->{main}{arguments}, uri => $uri);
}
sub trim_domain {
  my ($self, $host) = @_;
  return Mail::SpamAssassin::ask('registered', rules => $self->{main}{arguments}, host => $host);
}

package Mail::SpamAssassin::PerMsgStatus;

sub new {
  my ($class, $main, $message) = @_;
  return bless { main => $main, message => $message }, $class;
}
sub finish { return 1; }
sub asks {
  my ($self, $function, %more) = @_;
  return Mail::SpamAssassin::ask($function, rules => $self->{main}{arguments},
    message => $self->{message}{text}, %more);
}
sub check {
  my ($self) = @_;
  my $found = $self->asks('check');
  $self->{score} = $found->{score};
  $self->{test_names_hit} = $found->{names};
  $self->{result} = $found;
  return 1;
}
sub is_spam { return $_[0]{score} >= 5; }
sub get_score { return $_[0]{score}; }
sub get_names_of_tests_hit {
  my ($self) = @_;
  my @names = sort @{ $self->{test_names_hit} // [] };
  return wantarray ? @names : join(',', @names);
}
sub rewrite_mail { my ($self) = @_; return $self->asks('report'); }
sub get_uri_list { my ($self) = @_; return @{ $self->asks('uris') }; }
sub get_decoded_body_text_array { my ($self) = @_; return $self->asks('rawbody'); }
sub get_decoded_stripped_body_text_array { my ($self) = @_; return $self->asks('body'); }
sub get {
  my ($self, $name, $default) = @_;
  my $values = $self->asks('get', name => $name);
  return @$values if wantarray;
  return $values->[0] if @$values;
  return @_ > 2 ? $default : '';
}

1;
