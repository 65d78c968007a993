package control

// maxTags bounds the tags of a resource.
const maxTags = 50
