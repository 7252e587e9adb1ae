import json
import os
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen


def wait_for_webhook(conditions):
    """Returns the requests that were waited for, oldest first."""
    request = Request(
        f"{os.environ['CONTROL_URL']}/api/requests/wait?{urlencode(conditions, doseq=True)}",
        headers={"Authorization": f"Bearer {os.environ['CONTROL_TOKEN']}"},
    )
    try:
        return json.load(urlopen(request))["requests"]
    except HTTPError as error:
        raise AssertionError(json.load(error)["error"]) from None


def test_a_payment_sends_its_webhook():
    callback = f"{os.environ['PREVIEW_URL']}/hooks/payments"
    form = urlencode({"amount": 2000, "callback": callback}).encode()
    payment = json.load(urlopen(f"{os.environ['PAYMENTS_API']}/payments", form))

    [webhook] = wait_for_webhook(
        {"path": "/hooks/payments", "match": f"json:$.payment.id={payment['id']}", "timeout": "30s"}
    )

    event = json.loads(webhook["body"])
    assert event["type"] == "payment.succeeded"
    assert event["payment"]["amount"] == 2000
    assert webhook["status"] == 204  # what your app answered
