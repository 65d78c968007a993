// Package web is the console: a page in TypeScript under src, which vite
// builds into dist/console and this package embeds and serves.
//
// It is not an API: the page uses the native one like any other client, with
// a session cookie. A program that was built without Node has no console; the
// page then says how to get it, and everything else works.
//
// Everything served here is public. The page holds no data of its own and
// learns everything through the API, which asks who is there.
package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"weir/internal/server"
)

//go:embed all:dist
var embedded embed.FS

// policy is the content security policy of the page: nothing but its own
// scripts and styles, media from this server, and no strings turned into
// markup or scripts.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
	"media-src 'self' blob:; connect-src 'self'; font-src 'self'; worker-src 'self' blob:; manifest-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// absentPage is shown when the program was built without the console.
const absentPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Weir</title>
<h1>Weir is running, without its console</h1>
<p>The console was not built: run <code>make web</code>, which needs Node 20 or later, then build and start Weir again.</p>
<p>The API, playback and the command line work as they are.</p>
</html>
`

const (
	indexName  = "index.html"
	assetsPath = "assets/" // vite names what lies here after its content
)

// console is a built page, whole in memory.
type console struct {
	files fs.FS
	index []byte // nil when the console was not built
}

// Handler serves the page at / and at every address that the page itself
// routes, and its assets.
func Handler() http.Handler {
	files, err := fs.Sub(embedded, "dist/console")
	if err != nil {
		return newConsole(embedded) // not reached: the path is a valid one
	}
	return newConsole(files)
}

// Built tells whether the console is in this program.
func Built() bool {
	_, err := fs.Stat(embedded, "dist/console/"+indexName)
	return err == nil
}

func newConsole(files fs.FS) *console {
	index, err := fs.ReadFile(files, indexName)
	if err != nil {
		index = nil
	}
	return &console{files: files, index: index}
}

// Register registers the page and what it consists of.
func Register(r server.Routes) {
	h := Handler()
	for _, pattern := range []string{"GET /{$}", "GET /login", "GET /stream/{name}", "GET /publish/{name}", "GET /assets/", "GET /icon.svg"} {
		r.Public(pattern, h)
	}
}

// ServeHTTP answers with a file of the console, or with the page.
func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if strings.HasPrefix(name, assetsPath) || path.Ext(name) == ".svg" && !strings.Contains(name, "/") {
		c.serveFile(w, r, name)
		return
	}
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", "text/html; charset=utf-8")
	page := c.index
	if page == nil {
		page = []byte(absentPage)
	}
	http.ServeContent(w, r, indexName, time.Time{}, bytes.NewReader(page))
}

// serveFile answers with one file. Assets never change under their name.
func (c *console) serveFile(w http.ResponseWriter, r *http.Request, name string) {
	data, err := fs.ReadFile(c.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		server.WriteError(w, r, server.NotFound("the console has no file %.80q; reload the page", name))
		return
	}
	if err != nil {
		server.WriteError(w, r, fmt.Errorf("read asset: %w", err))
		return
	}
	cache := "public, max-age=3600"
	if strings.HasPrefix(name, assetsPath) {
		cache = "public, max-age=31536000, immutable"
	}
	w.Header().Set("Cache-Control", cache)
	if path.Ext(name) == ".js" {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	}
	http.ServeContent(w, r, path.Base(name), time.Time{}, bytes.NewReader(data))
}
