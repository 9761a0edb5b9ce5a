// Package debertac is the root of the debertac module, a compiler from DeBERTa model specs to Go and assembly. It holds the sources that built
// programs link, see [Sources]. The command is in cmd/debertac, and what generated packages link is in runtime.
package debertac
