// Check transparency logs with golang.org/x/mod/sumdb: LOG.vkey LOG...
//
// A LOG is a folder in the layout of C2SP tlog-tiles: `checkpoint`, `tile/<L>/<N>[.p/<W>]`, `tile/entries/<N>[.p/<W>]`.
// The checkpoint's signature must verify under the key; every tile is read through tlog.TileHashReader, which proves it
// against the checkpoint; then the whole tree is hashed from the entries, and every tile must have exactly its bytes.
//
// A LOG may also be a file *.tlog-proof (C2SP tlog-proof with the leaf's bytes as its extra data), or a file *.json that
// says how the log grew: {"earlier":NOTE,"checkpoint":NOTE,"consistency":[HEX, lowest first]}.
//
// Prints a line for each, `ok LOG SIZE` or `REFUSED LOG REASON`. Exit status 0 if all are accepted, 1 if not, 2 if the
// key cannot be used. x/mod leaves three things to us: it knows only the origin of Go's own database, its tiles have the
// height in their path, and its empty tree has another hash than RFC 6962's.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: check_log LOG.vkey LOG...")
		os.Exit(2)
	}
	text, err := ioutil.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
		os.Exit(2)
	}
	status := 0
	for _, path := range os.Args[2:] {
		check := checkFolder
		if strings.HasSuffix(path, ".tlog-proof") {
			check = checkInclusion
		} else if strings.HasSuffix(path, ".json") {
			check = checkConsistency
		}
		if size, err := check(path, key); err != nil {
			fmt.Println("REFUSED", path, strings.ReplaceAll(err.Error(), "\n", " "))
			status = 1
		} else {
			fmt.Println("ok", path, size)
		}
	}
	os.Exit(status)
}

// open verifies a checkpoint and reads the tree that it states.
func open(message []byte, key note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(message, note.VerifierList(key))
	if err != nil {
		return tlog.Tree{}, err
	}
	origin := key.Name() + "\n"
	if !strings.HasPrefix(opened.Text, origin) {
		return tlog.Tree{}, fmt.Errorf("the checkpoint is of another log")
	}
	rest := opened.Text[len(origin):]
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + rest))
	if err == nil && string(tlog.FormatTree(tree)) != "go.sum database tree\n"+rest {
		err = fmt.Errorf("the checkpoint says more than size and root")
	}
	if err == nil && tree.N == 0 && tree.Hash != sha256.Sum256(nil) {
		err = fmt.Errorf("the root is not that of an empty tree")
	}
	return tree, err
}

// path gives a tile's place in the layout of C2SP, which has no height, and `entries` for the records.
func path(tile tlog.Tile) string {
	parts := strings.Split(tile.Path(), "/")
	if parts[2] == "data" {
		parts[2] = "entries"
	}
	return filepath.Join(append([]string{"tile"}, parts[2:]...)...)
}

type folder string

func (f folder) Height() int                                { return height }
func (f folder) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := ioutil.ReadFile(filepath.Join(string(f), path(tile)))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// entries reads every record of a log of this size.
func (f folder) entries(size int64) ([][]byte, error) {
	var records [][]byte
	for first := int64(0); first < size; first += 1 << height {
		width := size - first
		if width > 1<<height {
			width = 1 << height
		}
		tile := tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)}
		data, err := ioutil.ReadFile(filepath.Join(string(f), path(tile)))
		if err != nil {
			return nil, err
		}
		for i := int64(0); i < width; i++ {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("%s ends early", path(tile))
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			records = append(records, data[2:end])
			data = data[end:]
		}
		if len(data) != 0 {
			return nil, fmt.Errorf("%s goes on behind its last entry", path(tile))
		}
	}
	return records, nil
}

func checkFolder(name string, key note.Verifier) (int64, error) {
	log := folder(name)
	message, err := ioutil.ReadFile(filepath.Join(name, "checkpoint"))
	if err != nil {
		return 0, err
	}
	tree, err := open(message, key)
	if err != nil || tree.N == 0 {
		return tree.N, err
	}
	records, err := log.entries(tree.N)
	if err != nil {
		return 0, err
	}
	var stored []tlog.Hash
	memory := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	var leaves []int64
	for i, record := range records {
		hashes, err := tlog.StoredHashes(int64(i), record, memory)
		if err != nil {
			return 0, err
		}
		stored = append(stored, hashes...)
		leaves = append(leaves, tlog.StoredHashIndex(0, int64(i)))
	}
	root, err := tlog.TreeHash(tree.N, memory)
	if err != nil {
		return 0, err
	}
	if root != tree.Hash {
		return 0, fmt.Errorf("the entries have the root %v, the checkpoint says %v", root, tree.Hash)
	}
	proved, err := tlog.TileHashReader(tree, log).ReadHashes(leaves)
	if err != nil {
		return 0, err
	}
	for i, record := range records {
		if proved[i] != tlog.RecordHash(record) {
			return 0, fmt.Errorf("entry %d is not the leaf of its tile", i)
		}
	}
	return tree.N, checkTiles(log, tree.N, memory)
}

// checkTiles compares every tile that the size asks for with the hashes of the entries.
func checkTiles(log folder, size int64, memory tlog.HashReader) error {
	for level := uint(0); size>>(height*level) > 0; level++ {
		hashes := size >> (height * level)
		for first := int64(0); first < hashes; first += 1 << height {
			width := hashes - first
			if width > 1<<height {
				width = 1 << height
			}
			tile := tlog.Tile{H: height, L: int(level), N: first >> height, W: int(width)}
			wanted, err := tlog.ReadTileData(tile, memory)
			if err != nil {
				return err
			}
			found, err := log.ReadTiles([]tlog.Tile{tile})
			if err != nil {
				return err
			}
			if !bytes.Equal(wanted, found[0]) {
				return fmt.Errorf("%s has other hashes than the entries", path(tile))
			}
		}
	}
	return nil
}

func checkInclusion(name string, key note.Verifier) (int64, error) {
	data, err := ioutil.ReadFile(name)
	if err != nil {
		return 0, err
	}
	parts := strings.SplitN(string(data), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, fmt.Errorf("not a log proof")
	}
	tree, err := open([]byte(parts[1]), key)
	if err != nil {
		return 0, err
	}
	if !strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return 0, fmt.Errorf("the leaf or its index is missing")
	}
	leaf, err := base64.StdEncoding.DecodeString(lines[1][len("extra "):])
	if err != nil {
		return 0, err
	}
	index, err := strconv.ParseInt(lines[2][len("index "):], 10, 64)
	if err != nil {
		return 0, err
	}
	hashes, err := decode(lines[3:], base64.StdEncoding.DecodeString)
	if err != nil {
		return 0, err
	}
	return tree.N, tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(leaf))
}

func checkConsistency(name string, key note.Verifier) (int64, error) {
	data, err := ioutil.ReadFile(name)
	if err != nil {
		return 0, err
	}
	var given struct {
		Earlier, Checkpoint string
		Consistency         []string
	}
	if err := json.Unmarshal(data, &given); err != nil {
		return 0, err
	}
	earlier, err := open([]byte(given.Earlier), key)
	if err != nil {
		return 0, fmt.Errorf("earlier checkpoint: %v", err)
	}
	tree, err := open([]byte(given.Checkpoint), key)
	if err != nil {
		return 0, err
	}
	path, err := decode(given.Consistency, hex.DecodeString)
	if err != nil {
		return 0, err
	}
	return tree.N, tlog.CheckTree(path, tree.N, tree.Hash, earlier.N, earlier.Hash)
}

func decode(texts []string, from func(string) ([]byte, error)) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, text := range texts {
		raw, err := from(text)
		if err != nil || len(raw) != tlog.HashSize {
			return nil, fmt.Errorf("%q is not a hash", text)
		}
		var hash tlog.Hash
		copy(hash[:], raw)
		hashes = append(hashes, hash)
	}
	return hashes, nil
}
