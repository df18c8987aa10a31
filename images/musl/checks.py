"""A program on a C library that is not the distribution's own."""

LIMIT = 2.0


def checks(image):
    one = image.run()
    yield "a library by its path", one.out == "one word\n" or one
    two = image.run("a", "b", "c")
    yield "other arguments", two.out == "two words\n" or two
    shout = image.run("shout", "quiet")
    yield "a plug-in", shout.out == "QUIET\n" or shout
    host = image.run("host", "localhost")
    yield "a name", host.out == "found\n" or host
    user = image.run("user", options=("--user", "5"))
    yield "a user", user.out == "games\n" or user
