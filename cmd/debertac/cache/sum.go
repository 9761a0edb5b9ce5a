package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/debertac/debertac/runtime/disk"
)

// sum is what the cache stores about a whole entry.
type sum struct {
	About   string      `json:"about"`
	Size    int64       `json:"size"`
	Mode    fs.FileMode `json:"mode"`    // the permissions
	Changed time.Time   `json:"changed"` // the time of the entry's last change when its hash was last compared
	Boot    string      `json:"boot"`    // identifies the start of the system before the last comparison of the hash; "" if it is not known
	Hash    string      `json:"hash"`    // see hashFile
}

// maxSum limits the size of a file with a sum, in bytes.
const maxSum = 1 << 16

// sumOf computes the sum of a file.
func sumOf(path, about string) (*sum, error) {
	st, err := disk.Stat(path)
	if err != nil {
		return nil, err
	}
	hash, err := hashFile(path, st.Size())
	if err != nil {
		return nil, err
	}
	return &sum{about, st.Size(), st.Mode().Perm(), st.ModTime(), boot(), hash}, nil
}

func readSum(path string) (*sum, error) {
	text, err := disk.ReadFile(sumPath(path), maxSum)
	if err != nil {
		return nil, err
	}
	s := &sum{}
	return s, json.Unmarshal(text, s)
}

func (s *sum) write(path string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return disk.RewriteFile(sumPath(path), append(text, '\n'), 0o666)
}

// holds compares a file with its sum. The hash is compared once after each start of the system, and again when the file's time has changed: after a
// power failure a file can have the right length and time but other bytes.
func (s *sum) holds(path string, st fs.FileInfo) error {
	switch {
	case st.Size() != s.Size:
		return fmt.Errorf("it has %d bytes, it was made with %d", st.Size(), s.Size)
	case st.Mode().Perm() != s.Mode:
		return fmt.Errorf("its permissions are %v, it was made with %v", st.Mode().Perm(), s.Mode)
	case st.ModTime().Equal(s.Changed) && s.Boot == boot():
		return nil
	}
	hash, err := hashFile(path, s.Size)
	if err != nil {
		return err
	}
	if hash != s.Hash {
		return errors.New("its bytes are not those that it was made with")
	}
	s.Changed, s.Boot = st.ModTime(), boot()
	_ = s.write(path) // in a cache that cannot be written the hash is compared each time
	return nil
}

// hashPart is how many bytes are hashed at once.
const hashPart = 8 << 20

// hashFile returns the sha256 of the sha256 of each 8 MiB of a file of the given length, in hex. The parts are hashed in parallel.
func hashFile(path string, size int64) (string, error) {
	f, err := disk.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	parts := int((size + hashPart - 1) / hashPart)
	sums := make([][sha256.Size]byte, parts)
	faults := make([]error, parts)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(parts, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			buf := make([]byte, hashPart)
			for i := range next {
				from := int64(i) * hashPart
				n := min(hashPart, size-from)
				if _, err := io.ReadFull(io.NewSectionReader(f, from, n), buf[:n]); err != nil {
					faults[i] = fmt.Errorf("%s cannot be read: %w", path, err)
				}
				sums[i] = sha256.Sum256(buf[:n])
			}
		})
	}
	for i := range parts {
		next <- i
	}
	close(next)
	wg.Wait()
	all := sha256.New()
	for _, s := range sums {
		all.Write(s[:])
	}
	return hex.EncodeToString(all.Sum(nil)), errors.Join(faults...)
}

// boot returns a text that identifies the last start of the system, or "" where it is not known.
var boot = sync.OnceValue(func() string {
	text, err := disk.ReadFile("/proc/sys/kernel/random/boot_id", 100)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
})
