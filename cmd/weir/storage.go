package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	datastreams "weir/datastreams/streams"
	"weir/fragments/archive"
	"weir/fragments/catalogue"
	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/config"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/vfs"
)

// storage is what a server and a check both stand on: the data directory, the
// store, the metadata, the archive and the catalogue.
type storage struct {
	settings  *config.Settings
	log       *slog.Logger
	clock     clock.Clock
	disk      vfs.FS
	keys      auth.KeyPair
	keyring   *auth.Keyring
	storeName string
	store     objects.Store
	meta      *meta.Pebble
	archive   *archive.Archive
	catalogue *catalogue.Catalogue
	streams   *datastreams.Streams

	passive bool        // the archive neither uploads nor deletes
	fatal   func(error) // ends the process for a reason
	closers []closer
}

// closer takes one part down.
type closer struct {
	name  string
	close func() error
}

// step opens one part.
type step struct {
	name string
	open func(context.Context) error
}

func newStorage(s *config.Settings, log *slog.Logger, fatal func(error)) storage {
	return storage{settings: s, log: log, clock: clock.System{}, disk: vfs.OS{}, fatal: fatal}
}

// openSteps opens parts in their order, up to the first that fails.
func openSteps(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := s.open(ctx); err != nil {
			return fmt.Errorf("open %s: %w", s.name, err)
		}
	}
	return nil
}

func (n *storage) onClose(name string, f func() error) {
	n.closers = append(n.closers, closer{name, f})
}

// close takes down what is open, in the reverse order, and reports what failed.
func (n *storage) close() error {
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		if err := n.closers[i].close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", n.closers[i].name, err))
		}
	}
	n.closers = nil
	return errors.Join(errs...)
}

// openData makes and locks the data directory.
func (n *storage) openData(context.Context) error {
	if err := n.disk.MkdirAll(n.settings.DataDir); err != nil {
		return err
	}
	lock, err := n.disk.Lock(filepath.Join(n.settings.DataDir, "lock"))
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("%s is used by another weir process; stop it, or choose another --data-dir", n.settings.DataDir)
	}
	if err != nil {
		return err
	}
	n.onClose("lock", lock.Close)
	return nil
}

func (n *storage) openKeys(context.Context) error {
	var err error
	if n.keys, err = auth.LoadRootKeys(n.disk, n.settings.DataDir, os.Getenv); err != nil {
		return err
	}
	n.keyring, err = auth.OpenKeyring(n.disk, n.settings.DataDir)
	return err
}

func (n *storage) openStore(ctx context.Context) error {
	address, err := n.settings.StoreAddress()
	if err != nil {
		return err
	}
	access := objects.AccessFromEnvironment(n.disk)
	access.CreateBucket = n.settings.StoreCreate
	n.storeName = address
	if n.store, err = objects.Open(address, access); err != nil {
		return err
	}
	if c, ok := n.store.(io.Closer); ok {
		n.onClose("store", c.Close)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := n.probe(ctx); err != nil {
		if n.passive {
			return err // a check without its store would find everything gone
		}
		n.log.Warn("the store cannot be used; recordings stay in the spool until it can", "store", address, "err", err)
	}
	return nil
}

// probeTimeout is how long the start waits for the store.
const probeTimeout = 5 * time.Second

// probe asks whether the store can be used.
func (n *storage) probe(ctx context.Context) error {
	p, ok := n.store.(objects.Prober)
	if !ok {
		return nil
	}
	return p.Probe(ctx)
}

// storeReady is the condition of readiness: the store answers, and took what
// it was given last.
func (n *storage) storeReady(ctx context.Context) error {
	if _, err := n.archive.Backlog(); err != nil {
		return err
	}
	if err := n.streams.LogStats().StoreErr; err != nil {
		return err
	}
	return n.probe(ctx)
}

func (n *storage) openMeta(context.Context) error {
	var err error
	if n.meta, err = meta.Open(filepath.Join(n.settings.DataDir, "meta"), n.log); err != nil {
		return err
	}
	n.onClose("metadata", n.meta.Close)
	return nil
}

func (n *storage) openArchive(ctx context.Context) error {
	var err error
	n.archive, err = archive.Open(ctx, archive.Options{
		FS: n.disk, Dir: filepath.Join(n.settings.DataDir, "spool"), Store: n.store, Meta: n.meta,
		Clock: n.clock, Log: n.log, Fatal: n.fatal, Passive: n.passive, LowWater: int64(n.settings.DiskLowWater),
	})
	if err != nil {
		return err
	}
	n.onClose("archive", n.archive.Close)
	return nil
}

func (n *storage) openCatalogue(context.Context) error {
	var err error
	n.catalogue, err = catalogue.Open(catalogue.Options{
		Meta: n.meta, Store: n.store, Archive: n.archive, Sealer: n.keyring, Clock: n.clock, Log: n.log,
		Defaults: catalogue.Defaults{
			Retention: catalogue.Retention{Hours: n.settings.Retention.Std().Hours(), Bytes: int64(n.settings.RetainBytes)},
			Fragment:  n.settings.FragmentTime.Std(), Chunk: n.settings.ChunkTime.Std(), MaxStreams: n.settings.MaxStreams,
		},
	})
	return err
}
