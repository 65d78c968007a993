package catalogue_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/fragments/catalogue"
	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/vfs"
)

func never() bool { return false }

// rig is a catalogue over an archive in memory.
type rig struct {
	*archivetest.Rig
	meta    meta.Store
	keyring *auth.Keyring
	*catalogue.Catalogue
}

func newRig(t *testing.T, disk vfs.FS, m meta.Store) *rig {
	t.Helper()
	r := archivetest.MustOpen(t, disk, m, nil)
	keyring, err := auth.OpenKeyring(disk, "/data")
	if err != nil {
		t.Fatal(err)
	}
	x := &rig{Rig: r, meta: m, keyring: keyring}
	x.Catalogue, err = catalogue.Open(catalogue.Options{
		Meta: m, Store: r.Store, Archive: r.Archive, Sealer: keyring, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
		Defaults: catalogue.Defaults{MaxStreams: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// journal writes down what listeners are told.
type journal struct{ strings.Builder }

func (j *journal) StreamChanged(s catalogue.Stream) { j.WriteString("changed " + s.Name + "\n") }
func (j *journal) StreamRemoved(s catalogue.Stream) { j.WriteString("removed " + s.Name + "\n") }

func put(t *testing.T, r *rig, name string, change func(*catalogue.Definition)) catalogue.Stream {
	t.Helper()
	d := r.New(name)
	if change != nil {
		change(&d)
	}
	s, _, err := r.Put(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLifeOfStreams creates, changes, and deletes, and tells listeners in
// order.
func TestLifeOfStreams(t *testing.T) {
	r := newRig(t, vfs.NewMem(), archivetest.NewMemMeta(never))
	put(t, r, "early", nil)
	var j journal
	r.Listen(&j)
	first := put(t, r, "cam", func(d *catalogue.Definition) { d.PlayPassword = catalogue.NewSecret("p") })
	again := put(t, r, "cam", func(d *catalogue.Definition) { d.Retention.Hours = 5 })
	if again.ID != first.ID || again.PlayPassword.Reveal() != "p" || again.Retention.Hours != 5 {
		t.Errorf("a change made %+v of %+v", again, first)
	}
	cleared := put(t, r, "cam", func(d *catalogue.Definition) { d.PlayPassword = catalogue.NewSecret("") })
	if !cleared.PlayPassword.IsZero() {
		t.Error("a password cannot be cleared")
	}
	put(t, r, "third", nil)
	if _, _, err := r.Put(context.Background(), r.New("fourth")); !errors.Is(err, catalogue.ErrTooMany) {
		t.Errorf("one stream too many: %v", err)
	}
	if err := r.Delete(context.Background(), "cam"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Get("cam"); !errors.Is(err, catalogue.ErrNotFound) {
		t.Errorf("a deleted stream: %v", err)
	}
	const want = "changed early\nchanged cam\nchanged cam\nchanged cam\nchanged third\nremoved cam\n"
	if j.String() != want {
		t.Errorf("listeners were told:\n%swant:\n%s", j.String(), want)
	}
}

// TestReopen finds definitions with their secrets again; the metadata holds
// them sealed, the store not at all.
func TestReopen(t *testing.T) {
	disk, m := vfs.NewMem(), archivetest.NewMemMeta(never)
	r := newRig(t, disk, m)
	made := put(t, r, "cam", func(d *catalogue.Definition) {
		d.PublishPassword = catalogue.NewSecret("tops3cret")
		d.Source = &catalogue.Source{URL: "rtsp://admin:hidd3n@10.0.0.5/main"}
	})
	if made.Source.URL != "rtsp://10.0.0.5/main" || made.Source.Username != "admin" {
		t.Errorf("the credentials of the URL stay in it: %+v", made.Source)
	}
	for e, err := range m.Scan("", "\xff", false) {
		if err != nil {
			t.Fatal(err)
		}
		if v := string(e.Value); strings.Contains(v, "tops3cret") || strings.Contains(v, "hidd3n") {
			t.Errorf("%s holds a secret in clear: %s", e.Key, v)
		}
	}
	r.Close()
	r = newRig(t, disk, m)
	got, err := r.Get("cam")
	if err != nil || got.PublishPassword.Reveal() != "tops3cret" || got.Source.Password.Reveal() != "hidd3n" {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
}

// TestRestore brings streams back from the store after the metadata was lost,
// with their recordings.
func TestRestore(t *testing.T) {
	disk := vfs.NewMem()
	r := newRig(t, disk, archivetest.NewMemMeta(never))
	made := put(t, r, "cam", func(d *catalogue.Definition) {
		d.Retention.Hours, d.PlayPassword = 42, catalogue.NewSecret("gone")
	})
	s, err := r.Stream(made.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	rec, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := archivetest.Camera(r.Rig, rec, archivetest.Epoch(), 4); err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	r.Close()

	r = newRig(t, disk, archivetest.NewMemMeta(never))
	if _, err := r.Rebuild(context.Background(), func(f archive.Finding) { t.Errorf("rebuild: %s", f) }); err != nil {
		t.Fatal(err)
	}
	names, err := r.Restore(context.Background())
	if err != nil || len(names) != 1 {
		t.Fatalf("restored %v, %v", names, err)
	}
	got, err := r.Get("cam")
	if err != nil || got.ID != made.ID || got.Retention.Hours != 42 || !got.PlayPassword.IsZero() {
		t.Errorf("restored %+v, %v", got, err)
	}
	if s, err = r.Stream(made.ID); err != nil {
		t.Fatal(err)
	}
	if fs, err := archivetest.Persisted(s); err != nil || len(fs) != 4 {
		t.Errorf("%d fragments are back, want 4: %v", len(fs), err)
	}
}

// TestCrashWhileDeleting finishes a deletion that a crash cut short.
func TestCrashWhileDeleting(t *testing.T) {
	disk, m := vfs.NewMem(), archivetest.NewMemMeta(never)
	r := newRig(t, disk, m)
	made := put(t, r, "cam", nil)
	if err := m.Commit(
		meta.Op{Key: "video/def/" + string(made.ID), Expect: meta.Any},
		meta.Op{Key: "video/name/cam", Expect: meta.Any},
		meta.Op{Key: "video/gone/" + string(made.ID), Value: []byte("{}"), Expect: meta.Any},
	); err != nil {
		t.Fatal(err)
	}
	r.Close()
	r = newRig(t, disk, m)
	if err := r.FinishDeletions(context.Background()); err != nil {
		t.Fatal(err)
	}
	for e := range m.Scan("", "\xff", false) {
		if strings.Contains(e.Key, string(made.ID)) {
			t.Errorf("%s is left", e.Key)
		}
	}
	for info, err := range r.Store.List(context.Background(), "video/", "") {
		t.Errorf("%s is left in the store (%v)", info.Key, err)
	}
}

// TestChange changes a stream as it is at that moment: what the definition has
// is put into effect and is another version, attributes are not told to
// listeners; both survive a restart and, from the store, the metadata.
func TestChange(t *testing.T) {
	ctx := context.Background()
	disk, m := vfs.NewMem(), archivetest.NewMemMeta(never)
	r := newRig(t, disk, m)
	made, err := r.Create(ctx, r.New("cam"), catalogue.Attributes{State: catalogue.Creating, Tags: map[string]string{"a": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Create(ctx, r.New("cam"), catalogue.Attributes{}); !errors.Is(err, catalogue.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
	var j journal
	r.Listen(&j)
	if _, err := r.Change(ctx, "cam", func(s *catalogue.Stream) error { s.Attributes.MediaType = "video/h264"; return nil }); err != nil {
		t.Fatal(err)
	}
	changed, err := r.Change(ctx, "cam", func(s *catalogue.Stream) error { s.Retention.Hours = 7; return nil })
	if err != nil || changed.Attributes.Changes != 1 {
		t.Errorf("a change of the definition: %+v, %v", changed, err)
	}
	refusal := errors.New("no")
	if _, err := r.Change(ctx, "cam", func(s *catalogue.Stream) error { s.Record = false; return refusal }); !errors.Is(err, refusal) {
		t.Errorf("a refused change: %v", err)
	}
	if want := "changed cam\nchanged cam\n"; j.String() != want {
		t.Errorf("listeners were told:\n%swant:\n%s", j.String(), want)
	}
	stream, err := r.Stream(made.ID)
	if err != nil || stream.Policy().KeepFor.Hours() != 7 {
		t.Errorf("the policy is %+v, %v", stream.Policy(), err)
	}
	r.Close()

	r = newRig(t, disk, m)
	got, err := r.Get("cam")
	if err != nil || got.Attributes.Status() != catalogue.Creating || got.Attributes.MediaType != "video/h264" || got.Attributes.Tags["a"] != "1" || !got.Record {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
	r.Close()

	r = newRig(t, disk, archivetest.NewMemMeta(never))
	if _, err := r.Restore(ctx); err != nil {
		t.Fatal(err)
	}
	got, err = r.Get("cam")
	if err != nil || got.Attributes.Status() != catalogue.Active || got.Attributes.Tags["a"] != "1" || !got.Created.Equal(made.Created) {
		t.Errorf("restored: %+v, %v", got, err)
	}
}
