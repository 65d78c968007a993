package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"sync"
	"time"

	"weir/internal/vfs"
)

const (
	reloadInterval     = 10 * time.Second // between looks at the files
	maxPEMBytes        = 1 << 20
	selfSignedFile     = "self-signed.pem" // key and certificate
	selfSignedLife     = 397 * 24 * time.Hour
	selfSignedLeftover = 30 * 24 * time.Hour // of its life, when it is made anew
)

// Certificate is a certificate that follows its files. All listeners share it.
type Certificate struct {
	disk     vfs.FS
	certFile string
	keyFile  string
	log      *slog.Logger

	mu      sync.Mutex // guards the following
	pair    *tls.Certificate
	seen    [2]time.Time // modification times of the files that pair came from
	checked time.Time
}

// LoadCertificate reads a PEM chain and its key. They are read again when the
// files change; a pair that does not fit is logged and the old one kept.
func LoadCertificate(disk vfs.FS, certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{disk: disk, certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	return c, nil
}

func (c *Certificate) load() error {
	seen, err := c.times()
	if err != nil {
		return err
	}
	cert, err := vfs.ReadFile(c.disk, c.certFile, maxPEMBytes)
	if err != nil {
		return err
	}
	key, err := vfs.ReadFile(c.disk, c.keyFile, maxPEMBytes)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	c.pair, c.seen, c.checked = &pair, seen, time.Now()
	return nil
}

func (c *Certificate) times() (seen [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := c.disk.Stat(name)
		if err != nil {
			return seen, err
		}
		seen[i] = info.ModTime()
	}
	return seen, nil
}

// TLSConfig is for a listener: TLS 1.2 and later, with the present certificate.
func (c *Certificate) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(time.Now()), nil },
	}
}

// current looks at the files from time to time.
func (c *Certificate) current(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checked) < reloadInterval {
		return c.pair
	}
	c.checked = now
	seen, err := c.times()
	if err == nil && seen != c.seen {
		if err = c.load(); err == nil {
			c.log.Info("certificate read again", "file", c.certFile)
		}
	}
	if err != nil {
		c.log.Error("the certificate cannot be read again; the old one stays in use", "file", c.certFile, "error", err)
	}
	return c.pair
}

// SelfSigned returns a certificate of our own from the data directory, made
// when there is none, for this machine's names and the given hosts.
func SelfSigned(disk vfs.FS, dataDir string, hosts []string, log *slog.Logger) (*Certificate, error) {
	file := filepath.Join(dataDir, selfSignedFile)
	c, err := LoadCertificate(disk, file, file, log)
	if err == nil && c.lasts(time.Now()) {
		return c, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	data, err := makeSelfSigned(hosts, time.Now())
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	if err := vfs.WriteAtomic(disk, file, data); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return LoadCertificate(disk, file, file, log)
}

// lasts tells whether the certificate is good for some time.
func (c *Certificate) lasts(now time.Time) bool {
	leaf := c.pair.Leaf
	return leaf != nil && now.Add(selfSignedLeftover).Before(leaf.NotAfter)
}

func makeSelfSigned(hosts []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Weir", Organization: []string{"Weir, self-signed"}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(selfSignedLife),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:         true, BasicConstraintsValid: true, // so that it can be trusted by import
	}
	for _, host := range append([]string{"localhost", "127.0.0.1", "::1"}, hosts...) {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if host != "" {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...,
	), nil
}
