package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// Output is a file that is being written. It gets its name when Commit succeeds; until then the bytes lie in a temporary file in the same folder. It is
// not safe for concurrent use.
type Output struct {
	file *os.File // nil after Commit and Discard
	name string   // the path that the caller passed
	path string   // the file that is replaced: name with its links followed
	temp string
	err  error // the first error of a write; Commit then fails too
}

// Place checks, without writing anything, that a file can be written at path: path must be a new name in a folder that may be written to, or a regular
// file that may be written, and its folder must exist. Place returns the path of the file that would be replaced, after following links.
func Place(path string) (string, error) {
	target, _, err := placeNew(path)
	return target, err
}

// placeNew is place for files that must not be inputs of the command.
func placeNew(path string) (target string, old fs.FileMode, err error) {
	target, old, err = place(path)
	if err == nil {
		err = guarded(path, target)
	}
	return target, old, err
}

// mostLinks is the largest number of links that are followed, as in Linux.
const mostLinks = 40

// place returns the file that a write to path replaces, and its mode, which is 0 if the file is new.
func place(path string) (target string, old fs.FileMode, err error) {
	if path == "" {
		return "", 0, because("create", path, ErrKind, "the name of the file is empty")
	}
	if err := step(OpStat, path); err != nil {
		return "", 0, pathError("create", path, err)
	}
	if strings.HasSuffix(path, string(filepath.Separator)) || strings.HasSuffix(path, "/") {
		return "", 0, because("create", path, ErrKind, "this is the name of a folder, the name of a file is wanted")
	}
	target = path
	for range mostLinks {
		if err := allowed(path, target); err != nil {
			return "", 0, err
		}
		st, err := os.Lstat(target)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return target, 0, folderOf(path, target)
		case err != nil:
			return "", 0, pathError("create", path, cause(err))
		case st.Mode()&fs.ModeSymlink == 0:
			if st.IsDir() {
				return "", 0, because("create", path, ErrKind, "this is a folder, the name of a file is wanted")
			}
			if !st.Mode().IsRegular() {
				return "", 0, because("create", path, ErrKind, "not a regular file: this is %s, which is not replaced", kindOf(st.Mode()))
			}
			if err := writable(target); err != nil {
				return "", 0, pathError("create", path, err)
			}
			return target, st.Mode(), nil
		}
		to, err := os.Readlink(target)
		if err != nil {
			return "", 0, pathError("create", path, cause(err))
		}
		if !filepath.IsAbs(to) {
			// filepath.Join would remove "folder/..", which is another place if folder is a link.
			dir, _ := filepath.Split(target)
			to = dir + to
		}
		target = to
	}
	return "", 0, because("create", path, ErrLink, "it is a link to a link, %d times", mostLinks)
}

// folderOf checks that the folder of a new file exists, and that this user may write to it.
func folderOf(path, target string) error {
	dir := filepath.Dir(target)
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return pathError("create", path, &NoFolderError{dir})
	case err != nil:
		return pathError("create", path, cause(err))
	case !st.IsDir():
		return because("create", path, ErrKind, "%s is not a folder to write it to", dir)
	}
	if err := writable(dir); err != nil {
		return pathError("create", path, err)
	}
	return nil
}

// NoFolderError reports that the folder of a file to be written does not exist. It matches fs.ErrNotExist.
type NoFolderError struct{ Dir string }

// Error names the folder.
func (e *NoFolderError) Error() string { return "there is no folder " + e.Dir + " to write it to" }

// Is reports whether target is fs.ErrNotExist.
func (e *NoFolderError) Is(target error) bool { return target == fs.ErrNotExist }

// system holds the folders of devices and of the kernel, whose files do not lie on a disk.
var system = []string{"/dev", "/proc", "/sys"}

// allowed refuses files in the root folder and in the folders of the system. Shared memory (/dev/shm) is allowed.
func allowed(path, target string) error {
	if filepath.Separator != '/' {
		return nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(target))
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil // the next step reports what is wrong
	}
	if dir == "/" {
		own := filepath.Join("/", filepath.Base(target))
		return because("create", path, ErrKind, "files are not written into the root folder: "+
			"write to a folder in it, such as %s", filepath.Join(own, filepath.Base(target)))
	}
	for _, s := range system {
		if (dir == s || strings.HasPrefix(dir, s+"/")) && dir != "/dev/shm" && !strings.HasPrefix(dir, "/dev/shm/") {
			return because("create", path, ErrKind, "files are not written below %s: choose another folder", s)
		}
	}
	return nil
}

// cause returns an error of the system without its path.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

// Create starts to write a file, which appears at path when Commit succeeds. If path is a link, the file that it names is replaced. An existing file
// that is not regular is refused with an error that matches ErrKind, and so are files in the root folder and below /dev, /proc and /sys. A replaced
// file keeps its permissions and, if this user may set it, its owner. A new file has the permissions perm, less the umask. See also GuardInputs.
func Create(path string, perm fs.FileMode) (*Output, error) {
	target, old, err := placeNew(path)
	if err != nil {
		return nil, err
	}
	return create(path, target, old, perm)
}

// Rewrite is Create for callers that read the file in order to replace it, such as a formatter. GuardInputs does not apply.
func Rewrite(path string, perm fs.FileMode) (*Output, error) {
	target, old, err := place(path)
	if err != nil {
		return nil, err
	}
	return create(path, target, old, perm)
}

// create starts to write target, whose old mode is old, for a caller that passed path.
func create(path, target string, old, perm fs.FileMode) (*Output, error) {
	dir, base := filepath.Split(target)
	sweep(dir, base)
	for {
		temp := dir + tempName(base)
		if err := step(OpCreate, path); err != nil {
			return nil, pathError("create", path, err)
		}
		// os.CreateTemp would make a private file, whatever the umask.
		f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm.Perm())
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, pathError("create", path, cause(err))
		}
		_ = tryLock(f, true) // the name is new, so nobody else has it
		o := &Output{file: f, name: path, path: target, temp: temp}
		if old != 0 {
			if err := keep(f, target, old); err != nil {
				o.Discard()
				return nil, pathError("create", path, cause(err))
			}
		}
		return o, nil
	}
}

// partial is a part of the names of temporary files. Names may have 255 bytes on most systems.
const partial = ".partial-"

func tempStem(base string) string {
	if base = strings.TrimPrefix(base, "."); len(base) > 200 {
		base = base[:200]
	}
	return "." + base + partial
}

func tempName(base string) string { return fmt.Sprintf("%s%08x", tempStem(base), rand.Uint32()) }

// IsTemporary reports whether a file with this name was made by Create. Such a file is left if the process is killed before Commit.
func IsTemporary(name string) bool {
	i := strings.LastIndex(name, partial)
	return i > 0 && name[0] == '.' && len(name) == i+len(partial)+8 && strings.Trim(name[i+len(partial):], "0123456789abcdef") == ""
}

// Name returns the path that the caller passed.
func (o *Output) Name() string { return o.name }

var errDone = errors.New("the file is committed or discarded")

// Write adds bytes at the current offset. After an error, Commit fails too.
func (o *Output) Write(p []byte) (int, error) {
	if o.file == nil {
		return 0, pathError("write", o.name, errDone)
	}
	n, err := write(o.file, o.name, p)
	return n, o.note("write", err)
}

// WriteAt writes at an offset, as in io.WriterAt.
func (o *Output) WriteAt(p []byte, offset int64) (int, error) {
	if o.file == nil {
		return 0, pathError("write", o.name, errDone)
	}
	n, err := write(io.NewOffsetWriter(o.file, offset), o.name, p)
	return n, o.note("write", err)
}

// Seek sets the offset of the next Write, as in io.Seeker.
func (o *Output) Seek(offset int64, whence int) (int64, error) {
	if o.file == nil {
		return 0, pathError("seek", o.name, errDone)
	}
	n, err := o.file.Seek(offset, whence)
	return n, o.note("seek", err)
}

// Truncate cuts the file to size bytes, or extends it to this length with zeros.
func (o *Output) Truncate(size int64) error {
	if o.file == nil {
		return pathError("truncate", o.name, errDone)
	}
	return o.note("truncate", o.file.Truncate(size))
}

// note adds the caller's path to an error and keeps the first error.
func (o *Output) note(op string, err error) error {
	if err == nil {
		return nil
	}
	err = pathError(op, o.name, cause(err))
	if o.err == nil {
		o.err = err
	}
	return err
}

// Commit syncs the bytes, renames the file and syncs the folder. If it fails, the old file is unchanged and the temporary file is gone. If only
// the last step fails, the new file is in place, but a power failure may still bring the old one back.
func (o *Output) Commit() error {
	if o.file == nil {
		return pathError("commit", o.name, errDone)
	}
	if o.err != nil {
		o.Discard()
		return o.err
	}
	f := o.file
	o.file = nil
	err := finish(f, o.temp, o.name, o.path)
	if err != nil {
		_ = Remove(o.temp) // the first error is the one to report
		return pathError("write", o.name, err)
	}
	return syncDir(o.name, filepath.Dir(o.path))
}

// finish syncs and closes f, whose path is temp, and renames it to path. name is the path that the caller passed. A file that has taken path since
// place checked it is checked again. Errors have no path.
func finish(f *os.File, temp, name, path string) error {
	err := step(OpSync, name)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return cause(err)
	}
	if st, err := os.Lstat(path); err == nil && !st.Mode().IsRegular() {
		return &reason{ErrKind, fmt.Sprintf("not a regular file: this is %s, which is not replaced", kindOf(st.Mode()))}
	}
	if err := step(OpRename, name); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return cause(err)
	}
	return nil
}

// Discard closes and removes the temporary file. After Commit it does nothing, so it can be deferred.
func (o *Output) Discard() {
	if o.file == nil {
		return
	}
	o.file.Close() // what was written is not needed
	o.file = nil
	_ = Remove(o.temp) // one that stays goes with the next write of the file
}

// WriteFile writes a whole file under the rules of Create.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return writeWith(Create, path, data, perm)
}

// RewriteFile writes a whole file under the rules of Rewrite.
func RewriteFile(path string, data []byte, perm fs.FileMode) error {
	return writeWith(Rewrite, path, data, perm)
}

// writeWith writes a whole file that start starts.
func writeWith(start func(string, fs.FileMode) (*Output, error), path string, data []byte, perm fs.FileMode) error {
	o, err := start(path, perm)
	if err != nil {
		return err
	}
	defer o.Discard()
	if _, err := o.Write(data); err != nil {
		return err
	}
	return o.Commit()
}

// Install moves the regular file made, which another program has written, to path under the rules of Create. A new file keeps the permissions of made.
// made may lie on another file system. After success it no longer exists at its old path.
func Install(made, path string) error {
	in, err := Open(made)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	target, old, err := placeNew(path)
	if err != nil {
		return err
	}
	if old != 0 {
		if err := keep(in.File, target, old); err != nil {
			return pathError("create", path, cause(err))
		}
	}
	switch err := finish(in.File, made, path, target); {
	case err == nil:
		return syncDir(path, filepath.Dir(target))
	case !errors.Is(err, errOtherDisk):
		return pathError("write", path, err)
	}
	return copyTo(made, path, st.Mode())
}

// copyTo is Install across file systems.
func copyTo(made, path string, perm fs.FileMode) error {
	in, err := Open(made)
	if err != nil {
		return err
	}
	defer in.Close()
	o, err := Create(path, perm)
	if err != nil {
		return err
	}
	defer o.Discard()
	if _, err := io.Copy(o, in); err != nil {
		return err
	}
	if err := o.Commit(); err != nil {
		return err
	}
	return Remove(made)
}
