// kube-check builds kustomizations as `kubectl apply -k` does and checks them as a Kubernetes API server does, without one:
// unknown and duplicate fields are errors, defaults are set, the API's own validation runs, and each pod must satisfy the
// Pod Security Standard that its namespace enforces. Used by test/self-host/kubernetes.test.ts.
//
//	kube-check FOLDER…
//
// Prints one line of JSON for each folder: {"objects": […], "problems": ["…"]}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

type report struct {
	Objects  []any    `json:"objects"`
	Problems []string `json:"problems"`
}

func main() {
	for _, folder := range os.Args[1:] {
		if err := json.NewEncoder(os.Stdout).Encode(check(folder)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// check reports what is wrong in what the folder's kustomization builds. A kustomization that cannot be built, for
// example because it uses a file outside its folder, is a problem as well.
func check(folder string) report {
	found := report{Objects: []any{}, Problems: []string{}}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		found.Problems = append(found.Problems, err.Error())
		return found
	}
	levels := podSecurityLevels{}
	var pods []pod
	for _, resource := range built.Resources() {
		text, err := resource.MarshalJSON()
		if err != nil {
			found.Problems = append(found.Problems, err.Error())
			continue
		}
		var object any
		_ = json.Unmarshal(text, &object) // MarshalJSON has just written it
		found.Objects = append(found.Objects, object)
		name := resource.GetKind() + " " + resource.GetName()
		decoded, problems := decode(text)
		if decoded != nil {
			problems = append(problems, validate(decoded)...)
			levels.add(decoded)
			pods = append(pods, podsOf(name, decoded)...)
		}
		for _, problem := range problems {
			found.Problems = append(found.Problems, name+": "+problem)
		}
	}
	found.Problems = append(found.Problems, levels.check(pods)...)
	return found
}
