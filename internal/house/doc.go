// Package house holds the rules of this source tree as tests: which room may
// import which, that every package says what it is, how long a file may grow,
// and that the links and commands of the documents lead somewhere.
//
// It has no code to import. The rules are those of DESIGN section 2:
//
//	cmd → {ingest, playback, datastreams, web} → fragments → internal
//
// ingest and playback never import each other, datastreams knows no video, and
// a leaf of internal imports nothing of ours.
package house
