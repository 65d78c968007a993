package archived

import "weir/internal/quota"

// Limit imposes the limits of AWS.
func (a *API) Limit() { a.quota = quota.New(true) }
