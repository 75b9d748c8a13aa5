#!/bin/sh
# House rules that no compiler checks: bans by name and form over src, tools, tests and bench. Prints file:line: rule for
# each finding and exits 1 when there is one. A line that must break a rule says so: lint:allow(RULE) in a comment on it.
set -eu
cd "${1:-$(dirname "$0")/..}"
dirs=
for d in src tools tests bench; do [ ! -d "$d" ] || dirs="$dirs $d"; done
[ -n "$dirs" ] || { echo "lint: no src, tools, tests or bench here" >&2; exit 2; }
# shellcheck disable=SC2086
find $dirs -type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \) -not -path '*/corpus/*' -not -path '*/node_modules/*' -print0 | sort -z |
	perl -e '
use strict;
use warnings;

# name, pattern, which files, which files not. Patterns of C code see neither comments nor the content of literals.
my $product = qr{^(?:src|tools)/}; # tests and benchmarks may measure and allocate as they like
my @code = (
	["unsafe-string", qr/\b(?:strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|alloca)\s*\(/, $product, qr/^$/],
	["wall-clock", qr/\btime\s*\(\s*(?:NULL|0|&)|\bgettimeofday\s*\(|\bclock_gettime\s*\(\s*CLOCK_REALTIME/,
		$product, qr{^src/clock/|^src/base/log\.c$}],
	["weak-random", qr/\bs?rand\s*\(/, qr/./, qr/^$/],
	["raw-allocation", qr/\b(?:malloc|calloc|realloc)\s*\(/, $product, qr{^src/base/}],
	["typedef-struct", qr/\btypedef\s+struct\b/, qr/./, qr{^src/base/status\.h$}],
);
my $unfinished = qr/\b(?:TO[D]O|FIX[M]E|X[X]X)\b/;
my ($width, $findings) = (130, 0);

sub blank { my $s = shift; $s =~ s/[^\n]/ /g; return $s }

$/ = "\0";
while (defined(my $file = <STDIN>)) {
	chomp $file;
	open my $in, "<:raw", $file or die "$file: $!\n";
	my $text = do { local $/; <$in> } // "";
	close $in;
	my $is_c = $file =~ /\.[ch]$/;
	utf8::decode($text);
	my @lines = split /\n/, $text, -1;
	my $found = sub {
		my ($n, $rule, $what) = @_;
		return if $n && $lines[$n - 1] =~ /lint:allow\(\Q$rule\E\)/;
		print "$file:", $n || 1, ": $rule: $what\n";
		$findings++;
	};

	my $most = $file =~ /\.(?:py|sh)$/ || $text =~ /clang-format off/ ? 190 : $width; # long literals of tests are easier to read in one piece
	my $n = 0;
	for my $line (@lines) {
		$n++;
		$found->($n, "trailing-space", "white space at the end") if $line =~ /[ \t\r]$/;
		$found->($n, "unfinished", "finish it or drop it: $&") if $line =~ $unfinished;
		my $column = 0;
		for (split /(\t)/, $line) { $column = $_ eq "\t" ? ($column | 7) + 1 : $column + length }
		$found->($n, "long-line", "$column columns, past $most") if $column > $most;
	}
	my $lead = $is_c ? qr{\A\s*/[*/]} : $file =~ /\.py$/ ? qr/\A(?:#![^\n]*\n)?\s*(?:#(?!!)|r?"""|r?\x27\x27\x27)/
		: qr/\A(?:#![^\n]*\n)?#(?!!)/;
	$found->(1, "leading-comment", "say what the file is, at its top") if $text !~ $lead;
	next unless $is_c;
	$found->(1, "pragma-once", "a header needs #pragma once") if $file =~ /\.h$/ && $text !~ /^#pragma once$/m;

	(my $bare = $text) =~ s{(/\*.*?\*/|//[^\n]*)|"((?:[^"\\\n]|\\.)*)"|\x27((?:[^\x27\\\n]|\\.)+)\x27}
		{ defined $1 ? blank($1) : defined $2 ? "\"" . blank($2) . "\"" : "\x27" . blank($3) . "\x27" }gsex;
	for my $rule (@code) {
		my ($name, $pattern, $where, $except) = @$rule;
		next if $file !~ $where || $file =~ $except;
		while ($bare =~ /$pattern/g) {
			my $at = 1 + (substr($bare, 0, $-[0]) =~ tr/\n//);
			$found->($at, $name, $& =~ s/\s+/ /gr);
		}
	}
}
exit($findings ? 1 : 0);
'
