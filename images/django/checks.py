"""The admin, its static files, other languages, and commands of manage.py; only
the start and GET / are probed."""

import re

FORM = "application/x-www-form-urlencoded"


class Visitor:
    """Keeps cookies, and sends the token that Django's forms want."""

    def __init__(self, app):
        self.app = app
        self.cookies = {}

    def ask(self, method, path, body=None, **headers):
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.app.request(method, path, body, headers=headers)
        for line in (answer.headers.get("Set-Cookie") or "").split("\n"):
            for name, value in re.findall(r"\b(csrftoken|sessionid|django_language)=([^;]*)", line):
                self.cookies[name] = value
        return answer

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, text):
        page = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.body)
        text = f"csrfmiddlewaretoken={token[1] if token else ''}&{text}"
        return self.ask("POST", path, text, **{"Content-Type": FORM})


def pages(app):
    index = app.get("/")
    yield "a template", "Middlemarch</a> 880" in index.body and "BOOKS!" in index.body or index
    yield "a time zone", "06:00 1,234,567.89" in index.body or index
    book = app.get("/book/1/")
    yield "humanize", "ago" in book.body or "now" in book.body or book
    missing = app.get("/nowhere")
    yield "an error page", missing.status == 404 and "Nothing here" in missing.body or missing
    style = re.search(r'href="(/static/library/style\.[^"]+)"', index.body)
    sheet = app.get(style[1])
    yield "a static file with its digest", "dot." in sheet.body or sheet
    packed = app.get(style[1], Accept_Encoding="gzip")
    yield "static files are immutable", "immutable" in packed.headers["Cache-Control"] or packed.headers

    for language, expected in (
        ("de", ["de", "Ja", "Eine kleine Bücherei", "1.234,5", "1. Juli 2024"]),
        ("fr", ["fr", "Oui", "A small library", "1\u202f234,5", "1 juillet 2024"]),
        ("ja", ["ja", "はい", "A small library", "1,234.5", "2024年7月1日"]),
        ("en", ["en", "Yes", "A small library", "1,234.5", "July 1, 2024"]),
    ):
        words = app.get("/words/", Accept_Language=language)
        seen = [text.replace("\xa0", "\u202f") for text in words.json().values()]
        yield f"in {language}", seen == expected or words
    catalog = app.get("/catalog.js", Accept_Language="de")
    yield "texts for scripts", "gettext" in catalog.body and catalog.status == 200 or catalog
    site = app.get("/sitemap.xml")
    yield "a site map", "/book/2/" in site.body or site
    for format, expected in (("json", '"title": "Flatland"'), ("xml", "<django-objects"), ("jsonl", "Flatland")):
        export = app.get(f"/export/{format}/")
        yield f"export as {format}", expected in export.body or export


def forms(app):
    visitor = Visitor(app)
    wrong = visitor.post("/add/", "title=&pages=0")
    yield "a form that is refused", "This field is required." in wrong.body or wrong
    added = visitor.post("/add/", "title=Emma&pages=474")
    yield "a form", added.status == 302 and app.said("saved Emma") or added
    forged = app.request("POST", "/add/", "title=x&pages=1", headers={"Content-Type": FORM})
    yield "a forged form", forged.status == 403 and "CSRF" in forged.body or forged
    reset = visitor.post("/accounts/password_reset/", "email=admin@example.org")
    yield "a mail", reset.status == 302 and app.said("Subject: Password reset") or (reset, app.log()[-500:])


def admin(app):
    visitor = Visitor(app)
    door = visitor.get("/admin/")
    yield "the admin wants a login", door.status == 302 or door
    page = visitor.get("/admin/login/?next=/admin/")
    yield "the login page", "Django administration" in page.body or page
    for path in re.findall(r'(?:href|src)="(/static/admin/[^"]+)"', page.body):
        yield f"static {path.split('.')[0]}", app.get(path).status == 200
    wrong = visitor.post("/admin/login/?next=/admin/", "username=admin&password=wrong")
    yield "a wrong password", "Please enter the correct" in wrong.body or wrong
    inside = visitor.post("/admin/login/?next=/admin/", "username=admin&password=not-a-secret")
    yield "the login", inside.status == 302 and inside.headers["Location"] == "/admin/" or inside
    home = visitor.get("/admin/")
    yield "the first page", "Recent actions" in home.body or home
    german = visitor.get("/admin/", Accept_Language="de")
    yield "in German", "Neueste Aktionen" in german.body or german
    books = visitor.get("/admin/library/book/?q=Emma")
    yield "a list with a search", "1 result" in books.body or books
    change = visitor.get("/admin/library/book/1/change/")
    yield "a form of the admin", 'value="Flatland"' in change.body and "jsi18n" in change.body or change
    script = visitor.get("/admin/jsi18n/", Accept_Language="de")
    yield "its texts", "Dezember" in script.body or script
    saved = visitor.post("/admin/library/book/1/change/", "title=Flatland&pages=100&facts={}")
    yield "a change", saved.status == 302 or saved
    history = visitor.get("/admin/library/book/1/history/")
    yield "its history", "Changed Pages" in history.body or history
    removal = visitor.get("/admin/library/book/2/delete/")
    yield "a question", "Are you sure" in removal.body or removal
    users = visitor.get("/admin/auth/user/1/change/")
    yield "a user", "pbkdf2_sha256" in users.body or users
    password = visitor.get("/admin/password_change/")
    yield "another password", "Old password" in password.body or password
    left = visitor.post("/admin/password_change/", "old_password=not-a-secret&new_password1=a&new_password2=a")
    yield "a validator", left.status == 200 and "too common" in left.body or left


def commands(image, volume):
    options = ["--volume", f"{volume}:/var/lib/library"]
    manage = lambda *args: image.run("python", "manage.py", *args, options=options)
    migrated = manage("migrate")
    yield "migrate", "Applying library.0002_first_books... OK" in migrated.out or migrated
    made = manage("createsuperuser", "--noinput")
    yield "createsuperuser", "Superuser created" in made.out or made
    for args, expected in (
        (["check"], "no issues"),
        (["count"], "2 books of 488 pages"),
        (["showmigrations"], "[X] 0001_initial"),
        (["shell", "-c", "from library.models import Book; print(Book.objects.count())"], "2\n"),
        (["dumpdata", "library"], '"title": "Middlemarch"'),
        (["inspectdb", "library_book"], "class LibraryBook"),
        (["makemigrations", "--check", "--dry-run"], "No changes detected"),
        (["sqlmigrate", "library", "0001"], "CREATE TABLE"),
        (["clearsessions"], ""),
        (["diffsettings"], "ROOT_URLCONF"),
        (["findstatic", "library/style.css"], "library/style.css"),
        (["help"], "collectstatic"),
        (["flush", "--noinput"], ""),
    ):
        done = manage(*args)
        yield f"manage.py {args[0]}", done.status == 0 and expected in done.out + done.err or done
    deploy = manage("check", "--deploy")
    yield "manage.py check --deploy", "security.W" in deploy.err or deploy
    collected = manage("collectstatic", "--noinput")
    yield "manage.py collectstatic", "static file" in collected.out or collected
    wrong = manage("nonsense")
    yield "an unknown command", "Unknown command: 'nonsense'" in wrong.err or wrong
    server = ["python", "manage.py", "runserver", "--noreload", "--insecure", "0.0.0.0:8000"]
    with image.serving(8000, *server, options=options) as app:
        yield "manage.py runserver", app.get("/words/").status == 200


def checks(image):
    import images

    with image.serving(8000) as app:
        yield from pages(app)
        yield from forms(app)
        yield from admin(app)
    with images.volume() as volume:
        yield from commands(image, volume)
