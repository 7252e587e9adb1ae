package webhooks

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"testing"
)

// webhook holds the fields of a recorded request that this test looks at.
type webhook struct {
	Body   string
	Status int
}

// waitForWebhook returns the requests that were waited for, oldest first.
func waitForWebhook(t *testing.T, conditions url.Values) []webhook {
	t.Helper()
	request, err := http.NewRequest("GET", os.Getenv("CONTROL_URL")+"/api/requests/wait?"+conditions.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("CONTROL_TOKEN"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Success  bool
		Error    string
		Requests []webhook
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if !answer.Success {
		t.Fatal(answer.Error)
	}
	return answer.Requests
}

func TestPaymentSendsItsWebhook(t *testing.T) {
	callback := os.Getenv("PREVIEW_URL") + "/hooks/payments"
	response, err := http.PostForm(os.Getenv("PAYMENTS_API")+"/payments",
		url.Values{"amount": {"2000"}, "callback": {callback}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var payment struct{ ID string }
	if err := json.NewDecoder(response.Body).Decode(&payment); err != nil {
		t.Fatal(err)
	}

	requests := waitForWebhook(t, url.Values{
		"path":    {"/hooks/payments"},
		"match":   {"json:$.payment.id=" + payment.ID},
		"timeout": {"30s"},
	})

	var event struct {
		Type    string
		Payment struct{ Amount int }
	}
	if err := json.Unmarshal([]byte(requests[0].Body), &event); err != nil {
		t.Fatal(err)
	}
	if event.Type != "payment.succeeded" || event.Payment.Amount != 2000 {
		t.Errorf("the service sent %s", requests[0].Body)
	}
	if requests[0].Status != 204 { // what your app answered
		t.Errorf("the app answered %d", requests[0].Status)
	}
}
