"""What the shell makes of the line depends on the environment."""


def checks(image):
    with image.serving(8080) as app:
        yield "the default", app.get("/").body == "Welcome, root\n" or app.get("/")
    with image.serving(9090, options=("--env", "PORT=9090", "--env", "NAME=Ada")) as app:
        yield "variables", app.get("/").body == "Welcome, Ada\n" or app.get("/")
    with image.serving(8080, options=("--user", "65532", "--env", "NAME=you")) as app:
        yield "as another user", app.get("/").body == "Welcome, you\n" or app.get("/")
    with image.serving(8080, options=("--env", "MOTD=none")) as app:
        yield "without the file", app.get("/").body == "" or app.get("/")
