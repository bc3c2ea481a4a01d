#!/usr/bin/perl
# What the installed SpamAssassin makes of messages, for bench/rules_view.py to compare with:
#   rules_view_dump.pl LIST > OUT.jsonl
# LIST: a file with one path a line. OUT: one JSON object a message; all strings are octets, written
# as the code points U+0000 to U+00FF.
use strict;
use warnings;
use JSON::PP;
use Mail::SpamAssassin;
use Mail::SpamAssassin::PerMsgStatus;

my ($list) = @ARGV;
my $checker = Mail::SpamAssassin->new({
  local_tests_only => 1, dont_copy_prefs => 1, userprefs_filename => '/dev/null',
  home_dir_for_helpers => '/tmp', post_config_text => "use_bayes 0\n",
});
$checker->init(1);
my $json = JSON::PP->new->ascii->canonical->allow_nonref;

sub octets {    # a deep copy in octets
  my ($value) = @_;
  return undef if !defined $value;
  return [map { octets($_) } @$value] if ref $value eq 'ARRAY';
  return {map { octets($_) => octets($value->{$_}) } keys %$value} if ref $value eq 'HASH';
  my $copy = "$value";
  utf8::encode($copy) if utf8::is_utf8($copy);
  return $copy;
}

sub numbers {
  my ($html) = @_;
  return {map { $_ => 0 + ($html->{$_} // 0) } grep { defined $html->{$_} && !ref $html->{$_} && $html->{$_} =~ /^-?[\d.]+(?:e-?\d+)?$/ } keys %$html};
}

binmode STDOUT;
open my $paths, '<', $list or die "$list: $!";
while (my $path = <$paths>) {
  chomp $path;
  open my $file, '<:raw', $path or next;
  my $text = do { local $/; <$file> };
  close $file;
  my $message = $checker->parse(\$text, 1);
  my $status = Mail::SpamAssassin::PerMsgStatus->new($checker, $message);
  my $detail = $status->get_uri_detail_list();
  my @html;
  for my $html (@{ $message->{metadata}{html_all} || [] }) {
    my $uris = $html->{uri_detail} || {};
    push @html, {
      numbers => numbers($html), inside => $html->{inside} || {}, title => octets($html->{title} || []),
      script => scalar @{ $html->{script} || [] }, comment => octets($html->{comment} || []),
      anchor => octets($html->{anchor} || []), charsets => octets($html->{charsets}),
      uris => {map { octets($_) => { types => [sort keys %{ $uris->{$_}{types} || {} }], text => octets($uris->{$_}{anchor_text} || []) } } keys %$uris},
    };
  }
  my @parts = map { {
    type => octets($_->{type}), leaf => ($_->is_leaf() ? 1 : 0), name => octets($_->{name}), charset => octets($_->{charset}),
    size => defined $_->decode() ? length $_->decode() : undef,
  } } $message->find_parts(qr/^/);
  print $json->encode({
    path => $path,
    body => octets($message->get_rendered_body_text_array()),
    visible => octets($message->get_visible_rendered_body_text_array()),
    invisible => octets($message->get_invisible_rendered_body_text_array()),
    rawbody => octets($message->get_decoded_body_text_array()),
    uris => [sort map { octets($_) } $status->get_uri_list()],
    detail => {map { octets($_) => {
      types => [sort keys %{ $detail->{$_}{types} || {} }], cleaned => [sort map { octets($_) } @{ $detail->{$_}{cleaned} || [] }],
      text => octets($detail->{$_}{anchor_text} || []), domains => [sort map { octets($_) } keys %{ $detail->{$_}{domains} || {} }],
      hosts => [sort map { octets($_) } keys %{ $detail->{$_}{hosts} || {} }],
    } } keys %{ $detail || {} }},
    html => \@html, parts => \@parts,
    flags => {map { $_ => ($message->{$_} ? 1 : 0) } qw(missing_head_body_separator missing_mime_headers missing_mime_head_body_separator mime_epilogue_exists truncated_header)},
    summary => [map { octets($_) } $message->content_summary()],
  }), "\n";
  $status->finish;
  $message->finish;
}
