package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/auth"
	"weir/internal/server"
)

// keyFlush is how often the days on which keys were used are written down.
const keyFlush = 10 * time.Minute

// openKeyStore opens the keys that were made since the first start, and the
// audit log.
func (n *node) openKeyStore(context.Context) error {
	var err error
	if n.audit, err = auth.OpenAudit(n.disk, n.settings.DataDir, n.clock, n.log); err != nil {
		return err
	}
	n.onClose("audit log", n.audit.Close)
	n.keyStore, err = auth.OpenKeyStore(auth.KeyStoreOptions{
		Root: n.keys, Meta: n.meta, Keyring: n.keyring, Clock: n.clock, Log: n.log,
	})
	if err != nil {
		return err
	}
	n.onClose("keys", n.keyStore.Flush)
	n.wg.Go(func() {
		tick := time.NewTicker(keyFlush)
		defer tick.Stop()
		for {
			select {
			case <-n.ctx.Done():
				return
			case <-tick.C:
				if err := n.keyStore.Flush(); err != nil {
					n.log.Error("write down the use of keys", "err", err)
				}
			}
		}
	})
	return nil
}

// registerKeys registers the API of keys. It is for administrators.
func (n *node) registerKeys() {
	n.adminRoute("GET /v1/keys", func(w http.ResponseWriter, _ *http.Request, _ auth.Identity) error {
		server.WriteJSON(w, http.StatusOK, map[string]any{"keys": n.keyStore.List()})
		return nil
	})
	n.adminRoute("POST /v1/keys", n.createKey)
	n.adminRoute("GET /v1/keys/{key}", func(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
		info, err := n.keyStore.Get(r.PathValue("key"))
		if err == nil {
			server.WriteJSON(w, http.StatusOK, info)
		}
		return err
	})
	n.adminRoute("PUT /v1/keys/{key}/policies", n.setPolicies)
	n.adminRoute("DELETE /v1/keys/{key}", func(w http.ResponseWriter, r *http.Request, id auth.Identity) error {
		info, err := n.keyStore.Revoke(r.PathValue("key"))
		if err == nil {
			n.verifier.Changed(id, "revoke key", info.AccessKey, info.Name)
			server.WriteJSON(w, http.StatusOK, info)
		}
		return err
	})
}

// adminRoute registers a route whose handler runs for administrators only.
func (n *node) adminRoute(pattern string, h func(http.ResponseWriter, *http.Request, auth.Identity) error) {
	n.server.Handle(pattern, func(w http.ResponseWriter, r *http.Request, id auth.Identity) {
		if !id.IsAdmin() {
			server.WriteError(w, r, server.Forbidden())
			return
		}
		if err := h(w, r, id); err != nil {
			server.WriteError(w, r, n.keyError(r, err))
		}
	})
}

// keyError gives the store's errors the form of the API.
func (n *node) keyError(r *http.Request, err error) error {
	var refusal *auth.Error
	var known *server.Error
	switch {
	case errors.Is(err, auth.ErrNoKey):
		return server.NotFound("there is no key %q", r.PathValue("key"))
	case errors.As(err, &refusal):
		return &server.Error{Status: refusal.Status, Code: refusal.Code, Message: refusal.Message}
	case errors.As(err, &known):
		return known
	}
	n.log.Error("keys", "request", server.RequestID(r.Context()), "err", err)
	return err
}

// keyRequest makes a key.
type keyRequest struct {
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Policies    []auth.Policy `json:"policies"`
}

// keyAnswer is a new key, the only time that its secret is shown.
type keyAnswer struct {
	auth.KeyInfo
	SecretKey string `json:"secretKey"`
}

func (n *node) createKey(w http.ResponseWriter, r *http.Request, id auth.Identity) error {
	var body keyRequest
	if err := server.DecodeJSON(r, &body); err != nil {
		return err
	}
	pair, info, err := n.keyStore.Create(body.Name, body.Description, body.Policies)
	if err != nil {
		return err
	}
	n.verifier.Changed(id, "create key", info.AccessKey, info.Name+policiesText(info.Policies))
	server.WriteJSON(w, http.StatusCreated, keyAnswer{info, pair.Secret.Reveal()})
	return nil
}

func (n *node) setPolicies(w http.ResponseWriter, r *http.Request, id auth.Identity) error {
	var body struct {
		Policies []auth.Policy `json:"policies"`
	}
	if err := server.DecodeJSON(r, &body); err != nil {
		return err
	}
	info, err := n.keyStore.SetPolicies(r.PathValue("key"), body.Policies)
	if err != nil {
		return err
	}
	n.verifier.Changed(id, "set policies", info.AccessKey, info.Name+policiesText(info.Policies))
	server.WriteJSON(w, http.StatusOK, info)
	return nil
}

// policiesText writes policies for the audit log.
func policiesText(policies []auth.Policy) string {
	text := ""
	for _, p := range policies {
		if p.Name != "" {
			text += " " + p.Name
			continue
		}
		text += " " + string(p.Document)
	}
	return text
}

// auditMetrics collects what the audit log counts.
type auditMetrics struct {
	audit                               *auth.Audit
	denied, changed, suppressed, failed *prometheus.Desc
}

func newAuditMetrics(a *auth.Audit) *auditMetrics {
	return &auditMetrics{
		audit:      a,
		denied:     prometheus.NewDesc("weir_denied_total", "Requests and accesses that were denied.", []string{"code"}, nil),
		changed:    prometheus.NewDesc("weir_key_changes_total", "Changes of keys and policies.", nil, nil),
		suppressed: prometheus.NewDesc("weir_audit_suppressed_total", "Denials that the audit log does not have, because one address caused too many.", nil, nil),
		failed:     prometheus.NewDesc("weir_audit_failures_total", "Lines of the audit log that could not be written.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *auditMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range m.all() {
		ch <- d
	}
}

func (m *auditMetrics) all() []*prometheus.Desc {
	return []*prometheus.Desc{m.denied, m.changed, m.suppressed, m.failed}
}

// Collect implements prometheus.Collector.
func (m *auditMetrics) Collect(ch chan<- prometheus.Metric) {
	t := m.audit.Totals()
	for code, count := range t.Denied {
		ch <- prometheus.MustNewConstMetric(m.denied, prometheus.CounterValue, float64(count), code)
	}
	ch <- prometheus.MustNewConstMetric(m.changed, prometheus.CounterValue, float64(t.Changed))
	ch <- prometheus.MustNewConstMetric(m.suppressed, prometheus.CounterValue, float64(t.Suppressed))
	ch <- prometheus.MustNewConstMetric(m.failed, prometheus.CounterValue, float64(t.Failed))
}
