#!/usr/bin/env bash
set -euo pipefail

id=$(curl -fsS "$PAYMENTS_API/payments" -d amount=2000 -d "callback=$PREVIEW_URL/hooks/payments" | jq -r .id)

expose wait /hooks/payments --match "json:\$.payment.id=$id" --timeout 30s --json |
  jq -e '.requests[0].body | fromjson | .type == "payment.succeeded" and .payment.amount == 2000'
