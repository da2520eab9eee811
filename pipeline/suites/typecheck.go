// Typecheck checks packages of Go trees for many platforms in one process: the packages' own code and their
// tests with function bodies, what they import without. It reads a Request from standard input and writes one
// Result for each of its jobs to standard output.
//
// It is built by the release whose trees it reads, so that language and standard library fit. It must compile
// with every release since Go 1.21.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
)

// Request is what to check, and how many jobs at once.
type Request struct {
	Width int   `json:"width"`
	Jobs  []Job `json:"jobs"`
}

// Job is some packages of the tree at Root, as GOOS and GOARCH see them. Tags are the release's own for that
// platform: GOEXPERIMENT and the architecture's features.
type Job struct {
	Root     string   `json:"root"`
	GOOS     string   `json:"goos"`
	GOARCH   string   `json:"goarch"`
	Tags     []string `json:"tags"`
	Packages []string `json:"packages"`
}

// Result is what a job found, sorted by position; empty when all is well.
type Result struct {
	Findings []Finding `json:"findings"`
}

// Finding is one error as the compiler would place it. File is below the tree's root.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

func main() {
	var request Request
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
		fmt.Fprintln(os.Stderr, "typecheck: cannot read the request:", err)
		os.Exit(2)
	}
	// Little of what is parsed can be freed before the end: collecting often only costs time.
	debug.SetGCPercent(400)
	runtime.GOMAXPROCS(request.Width)
	files := &cache{fset: token.NewFileSet(), texts: map[string]*text{}, parsed: map[parsedKey]*parsedFile{}}
	results := make([]Result, len(request.Jobs))
	slots := make(chan bool, request.Width)
	var group sync.WaitGroup
	for i := range request.Jobs {
		i := i
		slots <- true
		group.Add(1)
		go func() {
			defer group.Done()
			results[i] = check(files, request.Jobs[i])
			<-slots
		}()
	}
	group.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		fmt.Fprintln(os.Stderr, "typecheck: cannot write the results:", err)
		os.Exit(2)
	}
}

// check looks at all packages in one world, which is cheap. Where the tests of two packages import each other
// that world would be a circle: then each package gets one of its own, as it does in the go command.
func check(files *cache, job Job) Result {
	found, circle := inOneWorld(files, job, job.Packages)
	if circle {
		found = map[Finding]bool{}
		for _, path := range job.Packages {
			more, still := inOneWorld(files, job, []string{path})
			if still { // every package of the circle says so: once is enough
				found[Finding{File: "src/" + path, Message: "import cycle not allowed in test"}] = true
			}
			for one := range more {
				if !strings.Contains(one.Message, errCircle.Error()) {
					found[one] = true
				}
			}
		}
	}
	result := Result{Findings: []Finding{}}
	for one := range found {
		result.Findings = append(result.Findings, one)
	}
	sort.Slice(result.Findings, func(i, j int) bool {
		a, b := result.Findings[i], result.Findings[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return result
}

// world is the packages of one job as they import each other. Those in wanted hold their in-package tests
// too, whoever imports them.
type world struct {
	files  *cache
	job    Job
	ctx    build.Context
	wanted map[string]bool
	loaded map[string]*loaded
	found  map[Finding]bool
	circle bool
}

type loaded struct {
	pkg  *types.Package
	done bool
}

func inOneWorld(files *cache, job Job, paths []string) (map[Finding]bool, bool) {
	ctx := build.Default
	ctx.GOROOT, ctx.GOOS, ctx.GOARCH = job.Root, job.GOOS, job.GOARCH
	ctx.CgoEnabled, ctx.UseAllFiles, ctx.BuildTags, ctx.ToolTags = false, false, nil, job.Tags
	ctx.Compiler = "gc"
	ctx.OpenFile = func(path string) (io.ReadCloser, error) {
		read := files.read(path)
		return io.NopCloser(bytes.NewReader(read.data)), read.err
	}
	w := &world{
		files: files, job: job, ctx: ctx, wanted: map[string]bool{}, loaded: map[string]*loaded{},
		found: map[Finding]bool{},
	}
	for _, path := range paths {
		w.wanted[path] = true
	}
	for _, path := range paths {
		pkg, err := w.load(path)
		if err != nil {
			continue // what is wrong with the package itself was noted while it was loaded
		}
		if sources := w.sources(path); len(sources.external) > 0 {
			w.check(path+"_test", path, sources.external, true, pkg)
		}
	}
	return w.found, w.circle
}

var (
	errNoFiles = errors.New("no Go files for this platform")
	errCircle  = errors.New("import cycle not allowed")
)

// load is the package of an import path within the tree, checked once. A package with errors is there as
// well, as far as it goes: whoever imports it is checked against that.
func (w *world) load(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if have := w.loaded[path]; have != nil {
		if !have.done {
			w.circle = true
			return nil, errCircle
		}
		if have.pkg == nil {
			return nil, errNoFiles
		}
		return have.pkg, nil
	}
	have := &loaded{}
	w.loaded[path] = have
	sources := w.sources(path)
	files := sources.code
	if w.wanted[path] {
		files = append(append([]*parsedFile{}, files...), sources.tests...)
	}
	if len(files) > 0 {
		have.pkg = w.check(path, path, files, w.wanted[path], nil)
	}
	have.done = true
	if have.pkg == nil {
		return nil, errNoFiles
	}
	return have.pkg, nil
}

// check checks the files of one package. self is what an external test imports as the package it tests.
func (w *world) check(path, from string, files []*parsedFile, bodies bool, self *types.Package) *types.Package {
	var trees []*ast.File
	tests := map[*token.File]bool{}
	for _, file := range files {
		for _, problem := range file.problems {
			w.note(problem.Pos.Filename, problem.Pos.Line, problem.Pos.Column, problem.Msg)
		}
		if file.tree == nil {
			continue
		}
		trees = append(trees, file.tree)
		if strings.HasSuffix(file.name, "_test.go") {
			tests[w.files.fset.File(file.tree.Pos())] = true
		}
	}
	var last Finding
	config := types.Config{
		Importer:         importer{w, from, self},
		Sizes:            types.SizesFor("gc", w.job.GOARCH),
		IgnoreFuncBodies: !bodies,
		Error: func(err error) {
			problem, ok := err.(types.Error)
			if !ok {
				w.note("src/"+path, 0, 0, err.Error())
				return
			}
			at := w.files.fset.Position(problem.Pos)
			// An error that begins with a tab goes on with the one before.
			if strings.HasPrefix(problem.Msg, "\t") && last.File != "" {
				delete(w.found, last)
				last.Message += "; " + strings.TrimSpace(problem.Msg) + " (" + place(at) + ")"
				w.found[last] = true
				return
			}
			last = w.note(at.Filename, at.Line, at.Column, problem.Msg)
		},
	}
	info := &types.Info{}
	if bodies && self == nil && len(tests) > 0 {
		info.Uses = map[*ast.Ident]types.Object{}
	}
	pkg, _ := config.Check(path, w.files.fset, trees, info) // errors went to config.Error
	// Checked together with its tests, a package must still not need them.
	for name, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() || !tests[w.files.fset.File(object.Pos())] {
			continue
		}
		if !tests[w.files.fset.File(name.Pos())] {
			at := w.files.fset.Position(name.Pos())
			w.note(at.Filename, at.Line, at.Column, "undefined: "+name.Name+" (it is declared in a test file)")
		}
	}
	return pkg
}

func place(at token.Position) string { return fmt.Sprintf("%s:%d:%d", at.Filename, at.Line, at.Column) }

func (w *world) note(file string, line, column int, message string) Finding {
	one := Finding{File: file, Line: line, Column: column, Message: message}
	w.found[one] = true
	return one
}

// importer finds what the package from imports: the standard library, and what is vendored for it.
type importer struct {
	world *world
	from  string
	self  *types.Package
}

func (i importer) Import(path string) (*types.Package, error) {
	if i.self != nil && path == i.from {
		return i.self, nil
	}
	if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
		vendored := "vendor/" + path
		if strings.HasPrefix(i.from, "cmd/") {
			vendored = "cmd/vendor/" + path
		}
		path = vendored
	}
	return i.world.load(path)
}

// sources are the files of a package that the platform compiles.
type sources struct {
	code, tests, external []*parsedFile
}

func (w *world) sources(path string) sources {
	dir := filepath.Join(w.job.Root, "src", filepath.FromSlash(path))
	var found sources
	for _, name := range w.files.list(dir) {
		if ok, err := w.ctx.MatchFile(dir, name); err != nil || !ok {
			if err != nil {
				w.note("src/"+path+"/"+name, 1, 1, err.Error())
			}
			continue
		}
		isTest := strings.HasSuffix(name, "_test.go")
		if isTest && !w.wanted[path] {
			continue
		}
		file := w.files.parse(dir, "src/"+path+"/"+name, w.wanted[path])
		switch {
		case file.tree != nil && importsC(file.tree):
		case !isTest:
			found.code = append(found.code, file)
		case file.tree != nil && strings.HasSuffix(file.tree.Name.Name, "_test"):
			found.external = append(found.external, file)
		default:
			found.tests = append(found.tests, file)
		}
	}
	return found
}

// importsC is whether a file is for cgo, which is off.
func importsC(tree *ast.File) bool {
	for _, spec := range tree.Imports {
		if spec.Path.Value == `"C"` {
			return true
		}
	}
	return false
}

// cache holds files read and parsed, for all jobs: most files are the same on every platform and in every
// tree. A parsed file is never written to.
type cache struct {
	fset   *token.FileSet
	lock   sync.Mutex
	texts  map[string]*text
	names  sync.Map
	parsed map[parsedKey]*parsedFile
}

type text struct {
	once sync.Once
	data []byte
	sum  [sha256.Size]byte
	err  error
}

type parsedKey struct {
	name   string
	sum    [sha256.Size]byte
	bodies bool
}

type parsedFile struct {
	once     sync.Once
	name     string
	tree     *ast.File
	problems scanner.ErrorList
}

// list is the Go files of a folder, whatever they are for.
func (c *cache) list(dir string) []string {
	if have, ok := c.names.Load(dir); ok {
		return have.([]string)
	}
	names := []string{}
	entries, _ := os.ReadDir(dir) // one that is not there has no files
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".go") && !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	c.names.Store(dir, names)
	return names
}

func (c *cache) read(path string) *text {
	c.lock.Lock()
	have := c.texts[path]
	if have == nil {
		have = &text{}
		c.texts[path] = have
	}
	c.lock.Unlock()
	have.once.Do(func() {
		have.data, have.err = os.ReadFile(path)
		have.sum = sha256.Sum256(have.data)
	})
	return have
}

func (c *cache) parse(dir, name string, bodies bool) *parsedFile {
	read := c.read(filepath.Join(dir, filepath.Base(name)))
	key := parsedKey{name, read.sum, bodies}
	c.lock.Lock()
	have := c.parsed[key]
	if have == nil {
		have = &parsedFile{name: name}
		c.parsed[key] = have
	}
	c.lock.Unlock()
	have.once.Do(func() {
		tree, err := parser.ParseFile(c.fset, name, read.data, parser.SkipObjectResolution)
		if list, ok := err.(scanner.ErrorList); ok {
			have.problems = list
		} else if err != nil {
			have.problems = scanner.ErrorList{{Pos: token.Position{Filename: name, Line: 1, Column: 1}, Msg: err.Error()}}
		}
		if tree != nil && !bodies {
			for _, decl := range tree.Decls {
				// Empty and not nil, which a generic function may not be.
				if function, ok := decl.(*ast.FuncDecl); ok && function.Body != nil {
					function.Body.List = nil
				}
			}
		}
		have.tree = tree
	})
	return have
}
