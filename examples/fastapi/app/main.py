import importlib
import subprocess
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, Field

from . import store

HERE = Path(__file__).parent


@asynccontextmanager
async def lifespan(app: FastAPI):
    store.prepare()
    yield


app = FastAPI(title="Shop", version="1.0.0", lifespan=lifespan)
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
templates = Jinja2Templates(directory=HERE / "templates")


class NewItem(BaseModel):
    name: str = Field(min_length=1, max_length=40)
    price: float = Field(gt=0)


class Item(NewItem):
    id: int


@app.get("/", response_class=HTMLResponse)
def index(request: Request):
    return templates.TemplateResponse(request, "index.html", {"items": store.all_items()})


@app.get("/about", response_class=HTMLResponse)
def about(request: Request):
    return templates.TemplateResponse(request, "about.html")


@app.get("/items")
def items() -> list[Item]:
    return [Item.model_validate(item, from_attributes=True) for item in store.all_items()]


@app.get("/items/{number}")
def item(number: int) -> Item:
    found = store.one_item(number)
    if found is None:
        raise HTTPException(404, f"no item {number}")
    return Item.model_validate(found, from_attributes=True)


@app.post("/items", status_code=201)
def add_item(new: NewItem) -> Item:
    from sqlalchemy.exc import IntegrityError

    try:
        added = store.add_item(new.name, new.price)
    except IntegrityError:
        raise HTTPException(409, f"{new.name} exists") from None
    return Item.model_validate(added, from_attributes=True)


@app.get("/prices")
def prices():
    import statistics

    values = [item.price for item in store.all_items()]
    return {"mean": statistics.fmean(values), "median": statistics.median(values)}


@app.get("/export/{form}")
def export(form: str):
    reports = importlib.import_module("app.reports")
    if form == "csv":
        return PlainTextResponse(reports.as_csv(store.all_items()))
    if form == "xml":
        return Response(reports.as_xml(store.all_items()), media_type="application/xml")
    raise HTTPException(404, f"cannot export as {form}")


@app.get("/time/{zone:path}")
def time(zone: str):
    try:
        now = datetime.now(UTC).astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        raise HTTPException(404, f"no time zone {zone}") from None
    summer = datetime(2024, 7, 1, 12, tzinfo=ZoneInfo(zone))
    return {"zone": zone, "now": now.isoformat(), "july": summer.isoformat()}


@app.get("/host/{name}")
def host(name: str):
    return {"name": name, "ascii": name.encode("idna").decode()}


@app.get("/whoami", response_class=PlainTextResponse)
def whoami():
    return subprocess.run(
        "id | tr a-z A-Z", shell=True, check=True, capture_output=True, text=True
    ).stdout


@app.get("/year", response_class=PlainTextResponse)
def year():
    return subprocess.run(["date", "-u", "+year %Y"], check=True, capture_output=True, text=True).stdout


@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)
