package quota

// Len tells how many buckets are kept.
func (l *Limiter) Len() int { return len(l.full) }
