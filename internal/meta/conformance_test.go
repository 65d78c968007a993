package meta_test

import (
	"log/slog"
	"testing"

	"weir/internal/meta"
	"weir/internal/meta/metatest"
)

func TestConformance(t *testing.T) {
	metatest.Run(t, func(t *testing.T) meta.Store {
		p, err := meta.Open(t.TempDir(), slog.New(slog.DiscardHandler))
		return opened(t, p, err)
	})
}

func TestConformanceInMemory(t *testing.T) {
	metatest.Run(t, func(t *testing.T) meta.Store {
		p, err := meta.OpenMemory()
		return opened(t, p, err)
	})
}

func opened(t *testing.T, p *meta.Pebble, err error) meta.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}
