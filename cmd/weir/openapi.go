package main

import (
	_ "embed" // of the document
	"net/http"
)

// openAPI is the document of the native API, written by hand and held against
// the registered routes by a test.
//
//go:embed openapi.json
var openAPI []byte

// serveOpenAPI answers GET /v1/openapi.json.
func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// A client that is gone needs no answer.
	_, _ = w.Write(openAPI)
}
