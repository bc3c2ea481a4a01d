package Mail::SpamAssassin::HTML;

use strict;
use warnings;
require Mail::SpamAssassin;

sub new { return bless { results => {} }, $_[0]; }
sub parse {
  my ($self, $text) = @_;
  my $found = Mail::SpamAssassin::ask('html', text => $text);
  $self->{$_} = $found->{$_} for qw(visible invisible);
  $self->{results} = { font_invalid_color => $found->{font_invalid_color} };
  return 1;
}
sub get_rendered_text {
  my ($self, %options) = @_;
  return $options{invisible} ? $self->{invisible} : $self->{visible};
}
sub name_to_rgb { return Mail::SpamAssassin::ask('color', text => $_[0]); }
sub target_uri { return Mail::SpamAssassin::ask('target', base => $_[0], uri => $_[1]); }

1;
