// SPDX-License-Identifier: Apache-2.0

// Renders a Helm chart as `helm template` does, with what Helm itself is made of: Go's text/template and sprig. Debian has both,
// and no Helm. What it does not know of Helm (lookup, subcharts, hooks, files of values beside the chart's) a chart that uses it
// fails with.
//
//	render CHART RELEASE NAMESPACE KUBERNETES-VERSION < VALUES
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type values = map[string]interface{}

func main() {
	if len(os.Args) != 5 {
		fail(errors.New("usage: render CHART RELEASE NAMESPACE KUBERNETES-VERSION < VALUES"))
	}
	rendered, err := render(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Stdin)
	if err != nil {
		fail(err)
	}
	fmt.Print(rendered)
}

func render(folder, release, namespace, kubernetes string, overrides io.Reader) (string, error) {
	chart, defaults, given := values{}, values{}, values{}
	if err := readYaml(filepath.Join(folder, "Chart.yaml"), chart); err != nil {
		return "", err
	}
	if err := readYaml(filepath.Join(folder, "values.yaml"), defaults); err != nil {
		return "", err
	}
	if err := yaml.NewDecoder(overrides).Decode(&given); err != nil && err != io.EOF {
		return "", err
	}
	templates, names, err := parse(folder)
	if err != nil {
		return "", err
	}
	context := values{
		"Values":       override(defaults, given),
		"Chart":        titled(chart),
		"Release":      values{"Name": release, "Namespace": namespace, "Service": "Helm", "IsInstall": true, "Revision": 1},
		"Capabilities": values{"KubeVersion": values{"Version": kubernetes}},
	}
	var all strings.Builder
	for _, name := range names {
		var text bytes.Buffer
		context["Template"] = values{"Name": name, "BasePath": "templates"}
		if err := templates.ExecuteTemplate(&text, name, context); err != nil {
			return "", err
		}
		// Helm sets missingkey=zero and takes away what text/template makes of it.
		if clean := strings.ReplaceAll(text.String(), "<no value>", ""); strings.TrimSpace(clean) != "" {
			fmt.Fprintf(&all, "---\n# Source: %s\n%s\n", name, strings.Trim(clean, "\n"))
		}
	}
	return all.String(), nil
}

// The templates, and the names of those that make objects, in the order of the alphabet. NOTES.txt comes last.
func parse(folder string) (*template.Template, []string, error) {
	templates := template.New("chart").Option("missingkey=zero")
	templates.Funcs(functions(templates))
	paths, _ := filepath.Glob(filepath.Join(folder, "templates", "*"))
	sort.SliceStable(paths, func(i, j int) bool { return !isNotes(paths[i]) && isNotes(paths[j]) })
	names := []string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		name := filepath.Base(path)
		if _, err := templates.New(name).Parse(string(text)); err != nil {
			return nil, nil, err
		}
		if !strings.HasPrefix(name, "_") {
			names = append(names, name)
		}
	}
	return templates, names, nil
}

func isNotes(path string) bool {
	return filepath.Base(path) == "NOTES.txt"
}

// Those of Helm: sprig's but for the environment, and its own.
func functions(templates *template.Template) template.FuncMap {
	all := sprig.TxtFuncMap()
	delete(all, "env")
	delete(all, "expandenv")
	all["toYaml"] = toYaml
	all["include"] = func(name string, data interface{}) (string, error) {
		var text strings.Builder
		err := templates.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	all["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, errors.New(message)
		}
		return value, nil
	}
	return all
}

func toYaml(value interface{}) (string, error) {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err := encoder.Encode(value)
	return strings.TrimSuffix(text.String(), "\n"), err
}

// What is given counts; null takes a default away.
func override(defaults, given values) values {
	for key, value := range given {
		below, isMap := value.(values)
		before, wasMap := defaults[key].(values)
		switch {
		case value == nil:
			delete(defaults, key)
		case isMap && wasMap:
			defaults[key] = override(before, below)
		default:
			defaults[key] = value
		}
	}
	return defaults
}

// Templates name the keys of Chart.yaml as Helm's own structure does: .Chart.AppVersion.
func titled(chart values) values {
	all := values{}
	for key, value := range chart {
		all[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return all
}

func readYaml(path string, into values) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, &into)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
