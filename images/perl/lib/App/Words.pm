package App::Words;
use strict;
use warnings;
use Text::ParseWords ();

sub count { scalar Text::ParseWords::shellwords(shift) }

1;
