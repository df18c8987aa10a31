"""A small shop: pages, a session, an API that is loaded late."""

import importlib
import logging
import logging.config

from flask import Flask, abort, flash, redirect, render_template, request, session, url_for

LOGGING = {
    "version": 1,
    "formatters": {"lines": {"class": "shop.log.Lines"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "lines"},
        "file": {
            "class": "logging.handlers.RotatingFileHandler",
            "filename": "/tmp/shop.log",
            "maxBytes": 100_000,
            "formatter": "lines",
        },
    },
    "root": {"level": "INFO", "handlers": ["stderr", "file"]},
}

PARTS = {"api": "shop.api", "reports": "shop.reports"}


def create_app():
    logging.config.dictConfig(LOGGING)
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "not a secret"

    @app.template_filter("price")
    def price(cents):
        return f"{cents / 100:,.2f} €"

    @app.route("/")
    def index():
        return render_template("index.html", goods=GOODS)

    @app.route("/basket", methods=["GET", "POST"])
    def basket():
        if request.method == "POST":
            name = request.form["name"]
            if name not in GOODS:
                abort(400, f"there is no {name}")
            session["basket"] = [*session.get("basket", []), name]
            flash(f"{name} is in your basket")
            return redirect(url_for("basket"))
        return render_template("basket.html", names=session.get("basket", []))

    @app.route("/part/<name>/<path:rest>")
    def part(name, rest):
        if name not in PARTS:
            abort(404)
        module = importlib.import_module(PARTS[name])
        return module.answer(rest)

    @app.route("/late")
    def late():
        from .late import say

        return say()

    @app.route("/broken")
    def broken():
        return {}["nothing"]

    @app.errorhandler(404)
    def not_found(error):
        return render_template("missing.html", path=request.path), 404

    return app


GOODS = {"Lamp": 4900, "Table": 123400, "<Vase>": 1999}
