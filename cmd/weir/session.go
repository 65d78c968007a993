package main

import (
	"net/http"

	"weir/internal/auth"
	"weir/internal/server"
)

// registerSession registers the login of the console and what it asks about
// the server.
func (n *node) registerSession() {
	n.server.Public("POST /v1/session", http.HandlerFunc(n.login))
	n.server.Public("DELETE /v1/session", http.HandlerFunc(n.logout))
	n.server.Handle("GET /v1/session", func(w http.ResponseWriter, r *http.Request, id auth.Identity) {
		server.WriteJSON(w, http.StatusOK, map[string]string{"name": id.Name(), "kind": string(id.Kind())})
	})
	n.server.Handle("GET /v1/server", func(w http.ResponseWriter, r *http.Request, id auth.Identity) {
		httpURL, rtspURL := n.addresses(r)
		server.WriteJSON(w, http.StatusOK, map[string]string{"version": versionText(), "httpURL": httpURL, "rtsp": rtspURL})
	})
}

// login takes a one-time link or a key pair and sets the console's cookie.
func (n *node) login(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Link      string `json:"link"`
		AccessKey string `json:"accessKey"`
		SecretKey string `json:"secretKey"`
	}
	err := server.DecodeJSON(r, &body)
	if err == nil {
		if body.Link != "" {
			err = n.verifier.LoginWithLink(w, r, body.Link)
		} else {
			err = n.verifier.LoginWithKey(w, r, body.AccessKey, body.SecretKey)
		}
	}
	if err != nil {
		server.WriteError(w, r, err)
		return
	}
	server.WriteJSON(w, http.StatusOK, map[string]string{"name": "console", "kind": string(auth.KindConsole)})
}

func (n *node) logout(w http.ResponseWriter, r *http.Request) {
	n.verifier.Logout(w, r)
	w.WriteHeader(http.StatusNoContent)
}
