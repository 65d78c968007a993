package testkit

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Keys of the S3 servers. They guard nothing but a directory of a test.
const (
	s3AccessKey = "weirtestkey"
	s3SecretKey = "weirtestsecret"
)

// S3Server is an S3 server of a test. It can be stopped and started again on
// the same port with the same objects.
type S3Server struct {
	Endpoint  string // "http://127.0.0.1:…"
	AccessKey string
	SecretKey string

	dir     string
	program string
	args    []string
	env     []string
	health  string
	process *Process
}

// MinIO starts a MinIO server.
func MinIO(t testing.TB) *S3Server {
	t.Helper()
	s := newS3Server(t, "minio")
	address := s.Endpoint[len("http://"):]
	s.args = []string{"server", "--quiet", "--address", address, filepath.Join(s.dir, "objects")}
	s.env = []string{
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off",
	}
	s.health = "/minio/health/ready"
	s.Start(t)
	return s
}

// Versitygw starts a Versity S3 gateway over a directory.
func Versitygw(t testing.TB) *S3Server {
	t.Helper()
	s := newS3Server(t, "versitygw")
	address := s.Endpoint[len("http://"):]
	s.args = []string{
		"--access", s.AccessKey, "--secret", s.SecretKey, "--port", address,
		"--health", "/health", "--quiet", "--keep-alive",
		"posix", "--sidecar", filepath.Join(s.dir, "sidecar"), filepath.Join(s.dir, "objects"),
	}
	if err := os.Mkdir(filepath.Join(s.dir, "sidecar"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.health = "/health"
	s.Start(t)
	return s
}

func newS3Server(t testing.TB, program string) *S3Server {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "objects"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &S3Server{
		Endpoint:  "http://127.0.0.1:" + strconv.Itoa(FreePort(t)),
		AccessKey: s3AccessKey, SecretKey: s3SecretKey,
		dir: dir, program: Tool(t, program),
	}
}

// Start starts the server, which must not be running.
func (s *S3Server) Start(t testing.TB) {
	t.Helper()
	s.process = StartProcess(t, s.dir, s.program, s.args, s.env)
	client := http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	s.process.Await(t, func() error {
		answer, err := client.Get(s.Endpoint + s.health)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("health check says %s", answer.Status)
		}
		// MinIO calls itself ready before it can check credentials.
		if answer, err = client.Get(s.Endpoint + "/"); err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusServiceUnavailable {
			return fmt.Errorf("a request is answered %s", answer.Status)
		}
		return nil
	})
}

// Stop stops the server and keeps its objects.
func (s *S3Server) Stop(t testing.TB) {
	t.Helper()
	s.process.Stop(t)
}

// Kill stops the server as a crash would.
func (s *S3Server) Kill(t testing.TB) {
	t.Helper()
	s.process.Kill(t)
}

// Address returns the store address of a bucket on the server.
func (s *S3Server) Address(bucket string) string {
	return "s3://" + bucket + "?endpoint=" + s.Endpoint
}
