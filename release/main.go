// Command release builds the files that are published for a version of debertac: one program per platform, the parts that each links as an SBOM, and the
// SHA-256 of all files. The same commit and the same version of Go make the same bytes on any machine.
//
//	go run ./release -out build/release    all of it; the work tree must be as committed
//	go run ./release -sbom FILE            the SBOM of a Go program, such as one that debertac build has made
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// platforms lists the platforms for which programs are published, as GOOS/GOARCH.
var platforms = []string{"darwin/arm64", "linux/amd64", "linux/arm64", "windows/amd64"}

const (
	command = "github.com/debertac/debertac/cmd/debertac"
	sums    = "SHA256SUMS"
	ending  = ".cdx.json" // of SBOMs, as CycloneDX recommends
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	out := flag.String("out", "build/release", "folder for the files; it is emptied first")
	sbom := flag.String("sbom", "", "instead: print the SBOM of this Go program")
	flag.Parse()
	var err error
	switch {
	case flag.NArg() > 0:
		err = fmt.Errorf("no arguments are expected: %q", flag.Arg(0))
	case *sbom != "":
		var text []byte
		if text, err = bill(*sbom); err == nil {
			_, err = os.Stdout.Write(text)
		}
	default:
		err = publish(ctx, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// publish builds everything into the folder out.
func publish(ctx context.Context, out string) error {
	if err := committed(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	var lines []string
	for _, p := range platforms {
		system, arch, _ := strings.Cut(p, "/")
		name := "debertac_" + system + "_" + arch
		if system == "windows" {
			name += ".exe"
		}
		path := filepath.Join(out, name)
		fmt.Println(path)
		if err := compile(ctx, system, arch, path); err != nil {
			return err
		}
		text, err := bill(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path+ending, text, 0o666); err != nil {
			return err
		}
		for _, file := range []string{name, name + ending} {
			line, err := sum(out, file)
			if err != nil {
				return err
			}
			lines = append(lines, line)
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2*sha256.Size:], b[2*sha256.Size:]) })
	return os.WriteFile(filepath.Join(out, sums), []byte(strings.Join(lines, "")), 0o666)
}

// committed returns an error if the work tree has changes: published files must come from their commit alone.
func committed(ctx context.Context) error {
	text, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil {
		return fmt.Errorf("git status: %w", err)
	}
	if changes := bytes.TrimSpace(text); len(changes) > 0 {
		return fmt.Errorf("the work tree has changes, commit them first:\n%s", changes)
	}
	return nil
}

// compile builds debertac for a platform. It ignores Go's settings in the environment.
func compile(ctx context.Context, system, arch, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-mod=readonly", "-tags=", "-ldflags=-s -w", "-o", path, "./cmd/debertac")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=", "GOENV=off", "GOWORK=off", "GOEXPERIMENT=",
		"GOAMD64=v1", "GOARM64=v8.0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building for %s/%s: %w\n%s", system, arch, err, text)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && s.Value != "" {
			return nil
		}
	}
	return errors.New("go build did not record the commit: release from a clone of the repository, not from a linked work tree")
}

// sum returns the line of a file in SHA256SUMS, in the format that sha256sum -c reads.
func sum(dir, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x  %s\n", sha256.Sum256(text), name), nil
}
