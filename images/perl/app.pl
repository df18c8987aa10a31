#!/usr/bin/perl
use strict;
use warnings;
use HTTP::Daemon;
use HTTP::Response;

$SIG{TERM} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';

my %pages = (
    '/'       => sub { 'ready' },
    '/json'   => sub { require JSON::XS; JSON::XS->new->canonical->encode({ list => [1, 2], name => 'Ada' }) },
    '/encode' => sub { require Encode; unpack 'H*', Encode::encode('shiftjis', "\x{3042}") },
    '/posix'  => sub { require POSIX; POSIX::strftime('%Y-%m-%d', gmtime 86_400) },
    '/view'   => sub {
        require Template;
        my $view = Template->new(INCLUDE_PATH => 'views');
        $view->process('page.tt', { name => 'Grace' }, \my $out) or die $view->error;
        $out;
    },
    '/digest' => sub { require Digest::SHA; Digest::SHA::sha256_hex('a') },
    '/csv'    => sub {
        my $class = 'Text::CSV';
        eval "require $class" or die $@;
        my $csv = $class->new({ binary => 1 });
        $csv->combine('a', 'b c', 'd"e');
        $csv->string;
    },
    '/own'     => sub { my $name = 'App::Words'; eval "require $name" or die $@; App::Words::count('one two') },
    '/unicode' => sub { join ' ', map { /\p{Greek}/ ? 'Greek' : 'other' } "\x{3b1}", 'a' },
    '/name'    => sub { require charnames; charnames::viacode(0x3b1) },
    '/big'     => sub { require Math::BigInt; Math::BigInt->new(2)->bpow(70)->bstr },
    '/time'    => sub { require Time::Local; Time::Local::timegm(0, 0, 0, 2, 0, 1970) },
    '/program' => sub { my $out = qx{expr 6 '*' 7}; chomp $out; $out },
    '/broken'  => sub { die "on purpose\n" },
);

my $door = HTTP::Daemon->new(LocalAddr => '0.0.0.0', LocalPort => 8080, ReuseAddr => 1) or die "no socket: $!";
while (my $line = $door->accept) {
    while (my $request = $line->get_request) {
        my $page = $pages{ $request->uri->path };
        my $body = $page ? eval { $page->() } : 'not here';
        my $status = !$page ? 404 : defined $body ? 200 : 500;
        $body = "error: $@" unless defined $body;
        $line->send_response(HTTP::Response->new($status, undef, [ 'Content-Type' => 'text/plain' ], $body));
    }
    $line->close;
}
