package control

import (
	"context"

	"weir/fragments/catalogue"
)

// editor makes a change of the catalogue out of one of the API. The stream must
// still be the one that was found, not another under its name.
func (a *API) editor(found Stream, edit func(*Stream) error) func(*catalogue.Stream) error {
	return func(c *catalogue.Stream) error {
		s := a.streams.stream(*c)
		if s.ID != found.ID || s.Status() == catalogue.Deleting {
			return noStream(&found.Name, nil)
		}
		if err := edit(&s); err != nil {
			return err
		}
		*c = s.Stream
		return nil
	}
}

// renew makes a new version of a stream, which is UPDATING until the worker has
// seen it.
func renew(s *Stream) {
	s.Attributes.Changes++
	s.Attributes.State = catalogue.Updating
}

// resume lets the worker go on with what an earlier process left.
func (a *API) resume() {
	for _, s := range a.catalogue.List() {
		if s.Attributes.Status() != catalogue.Active {
			a.worker.add(streamKind, s.Name)
		}
	}
	for _, c := range a.channels.list("") {
		if c.State != catalogue.Active {
			a.worker.add(channelKind, c.Name)
		}
	}
}

// advance brings a resource to where its state leads. A task without a name is
// what is left of streams that were deleted while the store was away.
func (a *API) advance(ctx context.Context, t task) error {
	switch {
	case t.kind == channelKind:
		return a.channels.advance(t.name)
	case t.name == "":
		return a.catalogue.FinishDeletions(ctx)
	}
	return a.advanceStream(ctx, t.name)
}

func (a *API) advanceStream(ctx context.Context, name string) error {
	s, err := a.catalogue.Get(name)
	if err != nil {
		return nil // deleted by the native API meanwhile
	}
	if s.Attributes.Status() != catalogue.Deleting {
		_, err := a.catalogue.Change(ctx, name, func(s *catalogue.Stream) error {
			s.Attributes.State = ""
			return nil
		})
		return err
	}
	if err := a.channels.unmap(a.streams.stream(s).ARN); err != nil {
		return err
	}
	if err := a.catalogue.Delete(ctx, name); err != nil {
		if _, gone := a.catalogue.Get(name); gone != nil {
			a.worker.add(streamKind, "")
		}
		return err
	}
	return nil
}
