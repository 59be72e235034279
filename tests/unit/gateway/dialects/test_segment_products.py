"""Segment's orders, products and pages: revenue, and an event for each product."""

from typing import Any

import pytest

from tests.unit.gateway.dialects.segment_calls import TRACK, batch, one


@pytest.mark.parametrize(
    ("members", "event_type", "properties"),
    [
        ({"type": "page", "name": "Home"}, "Viewed Home Page", {"name": "Home"}),
        ({"type": "screen", "name": "Cart"}, "Viewed Cart Screen", {"name": "Cart"}),
        ({"type": "page", "category": "Docs"}, "Viewed Docs Page", {"category": "Docs"}),
        ({"type": "page", "properties": {"name": "X"}}, "Viewed X Page", {"name": "X"}),
        ({"type": "page", "properties": {"url": "/"}}, "Viewed Page", {"url": "/"}),
        ({"type": "page"}, "Viewed Page", None),
    ],
)
def test_pages_and_screens_are_views(
    members: dict[str, Any], event_type: str, properties: dict[str, Any] | None
) -> None:
    (value,) = batch({"userId": "u"} | members).values
    assert value["event_type"] == event_type
    assert value.get("event_properties") == properties


def test_an_order_is_revenue_and_each_product_an_event() -> None:
    products = [{"productId": "p", "price": 5, "quantity": 2}, {"productId": "q"}, 7]
    properties = {"revenue": 12.5, "products": products}
    found = batch(TRACK | {"event": "Order Completed", "properties": properties}).values
    assert [value["event_type"] for value in found[1:]] == ["Product Purchased"] * 2
    assert [value["insert_id"] for value in found] == ["m", "m-1", "m-2"]
    assert (found[0]["revenue"], found[0]["revenueType"]) == (12.5, "Purchase")
    assert found[0]["event_properties"] == properties
    assert [value["event_properties"] for value in found[1:]] == products[:2]
    assert "revenue" not in found[1]


def test_price_times_quantity_is_the_revenue() -> None:
    properties = {"price": 2.5, "quantity": 4, "revenue": 1, "product_id": "p"}
    value = one(event="Order Completed", properties=properties)
    assert (value["revenue"], value["price"], value["quantity"]) == (10.0, 2.5, 4)
    assert value["productId"] == "p"


def test_a_product_looked_at_is_no_revenue() -> None:
    value = one(event="Product Added", properties={"price": 2.5, "quantity": 4, "revenue": 10})
    assert not {"revenue", "price", "quantity"} & value.keys()


def test_the_products_of_an_order_share_what_its_call_says() -> None:
    context = {"locale": "de-DE", "device": {"id": "d"}, "library": {"name": "analytics.js"}}
    order = {"event": "Order Completed", "messageId": 'a "quoted" m', "context": context}
    products = [{"sku": "p"}, {}, {"event_properties": 1, "insert_id": "x"}]
    first, *purchases = batch(TRACK | order | {"properties": {"products": products}}).values

    for nth, (purchase, product) in enumerate(zip(purchases, products, strict=True), start=1):
        assert purchase == first | {
            "event_type": "Product Purchased",
            "insert_id": f'a "quoted" m-{nth}',
            "event_properties": product,
        }


def test_a_pages_own_properties_count_where_the_call_says_them_too() -> None:
    page = {"type": "page", "name": "Home", "category": "Docs", "properties": {"name": "X"}}
    (record,) = batch({"userId": "u"} | page).batch.records

    assert record.value.count(b'"name"') == 1
    assert b'"event_properties":{"name":"X","category":"Docs"}' in record.value.replace(b" ", b"")
