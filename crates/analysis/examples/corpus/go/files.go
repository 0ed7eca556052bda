package files

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrOutside is returned for names that lead out of the folder.
var ErrOutside = errors.New("outside the folder")

// Server hands out the files of a folder.
type Server struct {
	root  string
	limit int64
}

// New makes a server for a folder.
func New(root string) *Server {
	return &Server{root: filepath.Clean(root), limit: 1 << 20}
}

func (s *Server) path(name string) (string, error) {
	path := filepath.Join(s.root, name)
	if !strings.HasPrefix(path, s.root+string(os.PathSeparator)) {
		return "", fmt.Errorf("%s: %w", name, ErrOutside)
	}
	return path, nil
}

// ServeHTTP answers with a file.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	data, err := os.ReadFile(filepath.Join(s.root, name))
	if err != nil {
		fmt.Fprintf(w, "<p>no %s</p>", name)
		return
	}
	_, _ = w.Write(data)
}

// Unpack writes the files of an archive below the folder.
func (s *Server) Unpack(archive string) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer reader.Close()
	for _, file := range reader.File {
		target := filepath.Join(s.root, file.Name)
		if file.FileInfo().IsDir() {
			if err := os.MkdirAll(target, 0o777); err != nil {
				return err
			}
			continue
		}
		source, err := file.Open()
		if err != nil {
			return err
		}
		out, err := os.Create(target)
		if err != nil {
			return err
		}
		if _, err = io.Copy(out, source); err != nil {
			return err
		}
		out.Close()
		source.Close()
	}
	return nil
}

// Count counts the lines of a file.
func Count(name string) ([]byte, error) {
	return exec.Command("sh", "-c", "wc -l "+name).Output()
}
