// The admission controller PodSecurity: https://kubernetes.io/docs/concepts/security/pod-security-standards/
package main

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// podSecurityLevels holds what each namespace enforces, by its name.
type podSecurityLevels map[string]string

type pod struct {
	owner     string
	namespace string
	template  corev1.PodTemplateSpec
}

func podsOf(owner string, object runtime.Object) []pod {
	if deployment, ok := object.(*appsv1.Deployment); ok {
		return []pod{{owner, deployment.Namespace, deployment.Spec.Template}}
	}
	return nil
}

func (levels podSecurityLevels) add(object runtime.Object) {
	if namespace, ok := object.(*corev1.Namespace); ok {
		levels[namespace.Name] = namespace.Labels[api.EnforceLevelLabel]
	}
}

// check also objects to a pod whose namespace says no level.
func (levels podSecurityLevels) check(pods []pod) []string {
	checks, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	for _, pod := range pods {
		level, err := api.ParseLevel(levels[pod.namespace])
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: its namespace %q says no %s", pod.owner, pod.namespace, api.EnforceLevelLabel))
			continue
		}
		version := api.LevelVersion{Level: level, Version: api.LatestVersion()}
		results := policy.AggregateCheckResults(checks.EvaluatePod(version, &pod.template.ObjectMeta, &pod.template.Spec))
		if !results.Allowed {
			problems = append(problems, fmt.Sprintf("%s: violates %q: %s", pod.owner, version, results.ForbiddenDetail()))
		}
	}
	return problems
}
