"""Reports of a Java service, each with modules and data of its own."""


def checks(image):
    with image.serving(8080) as app:

        def report(path):
            answer = app.get(f"/{path}")
            return answer.body if answer.status == 200 else f"{answer.status} {answer.body}"

        for language, text in {"en": "Hello", "de-AT": "Guten Tag"}.items():
            yield f"a bundle in {language}", report(f"greeting/{language}") == text or report(f"greeting/{language}")
        formats = report("formats")
        yield "a service from the class path", formats == "plain: tea 2,50\n" or formats
        berlin = report("times/de/Europe/Berlin")
        yield "a time in Berlin", berlin.startswith("Donnerstag, 15. Januar 2026 um 13:00:00 M") or berlin
        tokyo = report("times/ja-JP/Asia/Tokyo")
        yield "a time in Tokyo", "2026年1月15日木曜日" in tokyo and "21時00分00秒" in tokyo or tokyo
        cairo = report("times/ar-EG/Africa/Cairo")
        yield "a time in Cairo", "توقيت شرق أوروبا" in cairo and "١٬٢٣٤٫٥٠" in cairo or cairo
        charsets = report("charsets")
        for line in ("windows-1252 e93f3f41", "Shift_JIS 3f93fa3f41", "EUC-KR 3fecedc7d141", "IBM037 513f3fc1"):
            yield f"charset {line.split()[0]}", line in charsets or charsets
        secure = report("secure")
        for line in ("TLSv1.3 42", "authorities true", "gcm 17", "sha3 a7ffc6f8", "providers 12"):
            yield f"security: {line}", line in secure or secure
        documents = report("documents")
        for line in ("sum 5", "count 2", "sql 12", "prefs true"):
            yield f"documents: {line}", line in documents or documents
        yield "a log by its configuration", app.said("FINE summed") or app.log()
        pictures = report("pictures")
        yield "pictures", pictures == "true true" or pictures
        machine = report("machine").split("\n")
        yield "the machine", machine == [
            "text", "text/html", "orders", "true", "true", "nobody", "root",
        ] or machine
        broken = app.get("/broken")
        traced = "IllegalStateException" in broken.body and "Broken.java" in broken.body
        yield "a stack trace", broken.status == 500 and traced or broken
        missing = app.get("/none")
        yield "a class that is not there", missing.status == 404 or missing
        yield "an exit on SIGTERM", app.stop() == 143 or app.log()

    plain = image.run("java", "-cp", "orders.jar:lib/*", "orders.Main", "greeting", "de")
    yield "a class path and a main class", plain.out == "Guten Tag\n" or plain
    zone = image.run("java", "-jar", "orders.jar", "times", "fr/UTC", options=["--env", "TZ=America/Lima"])
    yield "TZ", "America/Lima" in zone.out or zone
    small = image.run("java", "-XX:+UseSerialGC", "-Xmx32m", "-Xshare:auto", "-jar", "orders.jar", "formats")
    yield "another collector", "tea 2,50" in small.out or small
    version = image.run("java", "-version")
    yield "java -version", "17." in version.err or version
    modules = image.run("java", "--list-modules")
    yield "its modules", "java.desktop" in modules.out and "jdk.charsets" in modules.out or modules
    wrong = image.run("java", "-cp", "orders.jar", "orders.None")
    yield "a wrong class", wrong.status == 1 and "ClassNotFoundException" in wrong.err or wrong
