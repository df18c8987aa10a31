"""Each way to more rights is taken; whit sees none of them."""


def checks(image):
    plain = image.run()
    yield "without rights", plain.out == "4711 4711 999 refused\n" or "refused" in plain.out or plain
    setuid = image.run("setuid")
    yield "setuid", setuid.out.startswith("4711 0 ") and "hidden" in setuid.out or setuid
    setgid = image.run("setgid")
    yield "setgid", setgid.out.startswith("4711 4711 60 ") or setgid
    capable = image.run("capable")
    yield "file capabilities", capable.out.startswith("4711 4711 ") and "hidden" in capable.out or capable
    sudo = image.run("sudo")
    yield "sudo", sudo.out == "root 600\n" or sudo
    forbidden = image.run("forbidden")
    yield "what sudo's rules forbid", forbidden.status == 1 and "password" in forbidden.err or forbidden
    held = image.run("setuid", options=("--security-opt", "no-new-privileges"))
    yield "no-new-privileges", "refused" in held.out or held
    modes = image.run("-c", "stat -c '%a %u %g %n' /usr/local/bin/*", entrypoint="/bin/sh")
    wanted = {
        "755 0 0 /usr/local/bin/peek",
        "4755 0 0 /usr/local/bin/peek-setuid",
        "2750 0 60 /usr/local/bin/peek-setgid",
    }
    yield "modes and owners", wanted <= set(modes.out.splitlines()) or modes
