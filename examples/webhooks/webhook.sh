#!/usr/bin/env bash
set -euo pipefail

id=$(curl -fsS "$PAYMENTS_API/payments" -d amount=2000 -d "callback=$PREVIEW_URL/hooks/payments" | jq -r .id)

webhook=$(curl -sS --get "$CONTROL_URL/api/requests/wait" \
  -H "Authorization: Bearer $CONTROL_TOKEN" \
  --data-urlencode path=/hooks/payments \
  --data-urlencode "match=json:\$.payment.id=$id" \
  -d timeout=30s)

jq -e '.success or (.error | error)' <<<"$webhook" >/dev/null
jq -e '.requests[0].body | fromjson | .type == "payment.succeeded" and .payment.amount == 2000' <<<"$webhook"
