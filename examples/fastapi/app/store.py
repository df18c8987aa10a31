"""The shop's goods, in SQLite."""

import os
import tempfile

from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

DATABASE_URL = os.environ.get(
    "DATABASE_URL", f"sqlite:///{os.path.join(tempfile.gettempdir(), 'shop.db')}"
)
engine = create_engine(DATABASE_URL)


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    price: Mapped[float]


SEED = [("Tea", 3.5), ("Coffee", 4.25), ("Rye bread", 5.0)]


def prepare() -> None:
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        if session.scalar(select(Item).limit(1)) is None:
            session.add_all(Item(name=name, price=price) for name, price in SEED)
            session.commit()


def all_items() -> list[Item]:
    with Session(engine) as session:
        return list(session.scalars(select(Item).order_by(Item.id)))


def one_item(number: int) -> Item | None:
    with Session(engine) as session:
        return session.get(Item, number)


def add_item(name: str, price: float) -> Item:
    with Session(engine, expire_on_commit=False) as session:
        item = Item(name=name, price=price)
        session.add(item)
        session.commit()
        return item
