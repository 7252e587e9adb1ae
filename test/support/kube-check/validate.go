// What the API server does with an object before it stores it.
package main

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podoptions "k8s.io/kubernetes/pkg/api/pod"
	servicehelpers "k8s.io/kubernetes/pkg/api/service"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
)

// One of more bytes does not reach etcd, whose limit for a request this is (--max-request-bytes, 1.5 MiB).
const maxObjectBytes = 1_572_864

var scheme = legacyscheme.Scheme

// decode returns the object with its defaults, or nil where it is not one at all, and the fields that its type does not
// have or that came twice.
func decode(text []byte) (runtime.Object, []string) {
	if len(text) > maxObjectBytes {
		return nil, []string{fmt.Sprintf("%d bytes are too many for etcd: at most %d", len(text), maxObjectBytes)}
	}
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	object, _, err := codecs.UniversalDeserializer().Decode(text, nil, nil)
	var problems []string
	if err != nil {
		problems = append(problems, err.Error())
		if !runtime.IsStrictDecodingError(err) {
			return nil, problems
		}
	}
	scheme.Default(object)
	return object, problems
}

// validate runs the API's own validation. A kind that it does not know here is a problem: nothing goes unchecked.
func validate(object runtime.Object) []string {
	switch object := object.(type) {
	case *appsv1.Deployment:
		return run(object, &apps.Deployment{}, func(deployment *apps.Deployment) field.ErrorList {
			options := podoptions.GetValidationOptionsFromPodTemplate(&deployment.Spec.Template, nil)
			return appsvalidation.ValidateDeployment(deployment, options)
		})
	case *corev1.Namespace:
		return run(object, &core.Namespace{}, corevalidation.ValidateNamespace)
	case *corev1.ConfigMap:
		return run(object, &core.ConfigMap{}, corevalidation.ValidateConfigMap)
	case *corev1.Secret:
		return run(object, &core.Secret{}, corevalidation.ValidateSecret)
	case *corev1.Service:
		return run(object, &core.Service{}, func(service *core.Service) field.ErrorList {
			// The API server chooses a free port before it validates.
			if servicehelpers.NeedsHealthCheck(service) && service.Spec.HealthCheckNodePort == 0 {
				service.Spec.HealthCheckNodePort = 30000
			}
			return corevalidation.ValidateServiceCreate(service)
		})
	case *networkingv1.NetworkPolicy:
		return run(object, &networking.NetworkPolicy{}, func(networkPolicy *networking.NetworkPolicy) field.ErrorList {
			return networkingvalidation.ValidateNetworkPolicy(networkPolicy, networkingvalidation.NetworkPolicyValidationOptions{})
		})
	case *policyv1.PodDisruptionBudget:
		return run(object, &policy.PodDisruptionBudget{}, func(budget *policy.PodDisruptionBudget) field.ErrorList {
			return policyvalidation.ValidatePodDisruptionBudget(budget, policyvalidation.PodDisruptionBudgetValidationOptions{})
		})
	}
	return []string{fmt.Sprintf("kube-check cannot validate this kind (%T): add it", object)}
}

// run converts the object to the internal type, which is what the API server validates.
func run[Internal any](object runtime.Object, internal Internal, check func(Internal) field.ErrorList) []string {
	if err := scheme.Convert(object, internal, nil); err != nil {
		return []string{err.Error()}
	}
	var problems []string
	for _, err := range check(internal) {
		problems = append(problems, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return problems
}
