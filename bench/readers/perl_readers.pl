# What MIME::Parser and Mail::Message show of each message in a folder.
use strict; use warnings; no warnings;
use MIME::Parser; use Mail::Message;

my ($reader, $folder) = @ARGV;

sub show {
    my ($stem, $name, $octets) = @_;
    utf8::encode($name) if utf8::is_utf8($name);
    my $head = unpack('H*', substr($octets, 0, 2));
    print join(' ', $stem, $head || '-', unpack('H*', $name) || '-'), "\n";
}

for my $path (sort glob("$folder/*")) {
    my ($stem) = $path =~ m{([^/]+)\.eml$};
    if ($reader eq 'MIME::Parser') {
        my $parser = MIME::Parser->new;
        $parser->output_to_core(1);
        $parser->tmp_to_core(1);
        $parser->extract_uuencode(1);
        $parser->extract_nested_messages(1);
        my @entities = grep { defined } eval { $parser->parse_open($path) };
        while (my $entity = shift @entities) {
            if ($entity->parts) { push @entities, $entity->parts; next }
            my $body = $entity->bodyhandle;
            show($stem, $entity->head->recommended_filename // '', $body ? $body->as_string : '');
        }
    } else {
        open my $file, '<:raw', $path or die $!;
        my $octets = do { local $/; <$file> };
        my $message = eval { Mail::Message->read($octets) } or next;
        my @parts = eval { $message->parts('RECURSE') };
        for my $part (@parts ? @parts : $message) {
            my $name = eval { $part->body->dispositionFilename } // '';
            show($stem, $name, eval { $part->decoded->string } // '');
        }
    }
}
