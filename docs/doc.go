// Package docs holds the pages that users read. What the code knows (the words of the language, the message codes, the published models, the
// help of the command line) is filled in by go generate, and a test holds it up to date.
package docs

//go:generate go run ./tables .
