package objects

// LocalDir tells that the objects lie on this machine, and where: whoever
// deletes some gains space on that volume.
func (d *Dir) LocalDir() string { return d.root }
