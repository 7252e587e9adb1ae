// Which variables of the job a `command` sees: what tells it about tools, and nothing that is or points at a credential.

import { describe, expect, it } from 'vitest';
import { selectCommandEnvironment } from '../../src/app/command-environment.ts';

const sees = (name: string, value: string, platform: NodeJS.Platform = 'linux') =>
  name in selectCommandEnvironment({ [name]: value }, platform).passed;

describe('the environment of a command', () => {
  it.each([
    // The reports: tools of setup-actions that did not start.
    ['LD_LIBRARY_PATH', '/opt/hostedtoolcache/Python/3.13.1/x64/lib'],
    ['DYLD_LIBRARY_PATH', '/opt/lib'],
    ['RUSTUP_HOME', '/usr/share/rust/.rustup'],
    ['CARGO_HOME', '/usr/share/rust/.cargo'],
    ['DOCKER_HOST', 'unix:///run/user/1001/docker.sock'],
    ['DOTNET_ROOT', '/usr/share/dotnet'],
    ['DOTNET_CLI_TELEMETRY_OPTOUT', '1'],
    ['JAVA_HOME', '/usr/lib/jvm/temurin-17'],
    ['JAVA_HOME_21_X64', '/usr/lib/jvm/temurin-21'],
    ['GOROOT', '/opt/go'],
    ['GOROOT_1_23_X64', '/opt/go'],
    ['GOFLAGS', '-mod=mod'],
    ['pythonLocation', '/opt/hostedtoolcache/Python/3.13.1/x64'],
    ['Python3_ROOT_DIR', '/opt/python'],
    ['PYTHONPATH', 'src'],
    ['VIRTUAL_ENV', '/home/runner/venv'],
    ['CONDA', '/usr/share/miniconda'],
    ['NVM_DIR', '/home/runner/.nvm'],
    ['NODE_ENV', 'production'],
    ['NODE_OPTIONS', '--max-old-space-size=4096'],
    ['PNPM_HOME', '/home/runner/.pnpm'],
    ['npm_config_registry', 'https://registry.example'],
    ['ANDROID_HOME', '/usr/local/lib/android/sdk'],
    ['VCPKG_INSTALLATION_ROOT', '/usr/local/share/vcpkg'],
    ['GEM_HOME', '/home/runner/gems'],
    ['BUNDLE_GEMFILE', '/home/runner/work/a/a/Gemfile'],
    ['RAILS_ENV', 'test'],
    ['DJANGO_SETTINGS_MODULE', 'site.settings'],
    ['FLASK_APP', 'app.py'],
    ['PLAYWRIGHT_BROWSERS_PATH', '/ms-playwright'],
    ['PKG_CONFIG_PATH', '/usr/lib/pkgconfig:/opt/lib/pkgconfig'],
    ['CXXFLAGS', '-O2'],
    ['LLVM_ROOT', '/opt/llvm-that-is-not-here'],
    ['A_TOOL_NOBODY_KNOWS', process.execPath],
    ['RUNNER_OS', 'Linux'],
    ['RUNNER_TOOL_CACHE', '/opt/hostedtoolcache'],
    ['PATH', '/usr/bin'],
    ['HTTPS_PROXY', 'http://user:password@proxy:3128'],
  ])('has %s', (name, value) => {
    expect(sees(name, value)).toBe(true);
  });

  it.each([
    ['GITHUB_TOKEN', 'ghs_0123'],
    ['GH_TOKEN', 'ghs_0123'],
    ['ACTIONS_RUNTIME_TOKEN', 'x'],
    ['ACTIONS_ID_TOKEN_REQUEST_URL', 'https://x'],
    ['INPUT_SECRET', 'x'],
    ['INPUT_PATH', '/home/runner'],
    ['STATE_exposure', '{}'],
    ['BORE_SECRET', 'x'],
    ['WASMRUN_TUNNEL_SECRET', 'x'],
    ['EXPOSE_ACCESS_KEY', 'x'],
    ['CARGO_REGISTRY_TOKEN', 'x'],
    ['NODE_AUTH_TOKEN', 'x'],
    ['npm_config__authToken', 'x'],
    ['NPM_CONFIG_USERCONFIG', '/home/runner/work/_temp/.npmrc'],
    ['PIP_CONFIG_FILE', '/home/runner/pip.conf'],
    ['AWS_SECRET_ACCESS_KEY', 'x'],
    ['AWS_SHARED_CREDENTIALS_FILE', '/home/runner/.aws/credentials'],
    ['AWS_CONFIG_FILE', '/home/runner/.aws/config'],
    ['AZURE_CONFIG_DIR', '/home/runner/.azure'],
    ['GOOGLE_APPLICATION_CREDENTIALS', '/home/runner/key.json'],
    ['CLOUDSDK_CONFIG', '/home/runner/.config/gcloud'],
    ['KUBECONFIG', '/home/runner/.kube/config'],
    ['DOCKER_CONFIG', '/home/runner/.docker'],
    ['DOCKER_CERT_PATH', '/home/runner/certs'],
    ['SSH_AUTH_SOCK', '/tmp/ssh/agent.1'],
    ['GNUPGHOME', '/home/runner/.gnupg'],
    ['NETRC', '/home/runner/.netrc'],
    ['GIT_ASKPASS', '/home/runner/askpass.sh'],
    ['XAUTHORITY', '/home/runner/.Xauthority'],
    ['ANDROID_KEYSTORE_PATH', '/home/runner/release.jks'],
    ['PGPASSFILE', '/home/runner/.pgpass'],
    ['GITHUB_SHA', 'a1b2c3'],
    ['GITHUB_WORKSPACE', '/usr'],
    ['RUNNER_TEMP', '/tmp'],
    ['GITHUB_ENV', '/home/runner/work/_temp/set_env'],
    ['GITHUB_OUTPUT', '/home/runner/work/_temp/output'],
    ['GITHUB_PATH', '/home/runner/work/_temp/path'],
    ['GITHUB_STATE', '/home/runner/work/_temp/state'],
    ['GITHUB_STEP_SUMMARY', '/home/runner/work/_temp/summary'],
    ['PIP_INDEX_URL', 'https://user:password@pypi.example/simple'],
    ['GOPROXY', 'https://user:password@proxy.example'],
    ['NODE_CONFIG', '{"key":"sk_live_0123"}'],
    ['JAVA_OPTS', '-Dtoken=ghp_0123456789'],
    ['CI_JOB_DATA', '-----BEGIN PRIVATE KEY-----'],
    ['DATABASE_URL', 'postgres://app:secret@db/app'],
    ['STRIPE', 'rk_0123'],
    ['DB_PASS', 'x'],
    ['FEATURE_X', 'on'],
    ['NOT_A_PATH_ROOT', 'relative/folder'],
    ['MIXED_PATH', '/usr/bin:not-absolute'],
    ['EMPTY_DIR', ''],
  ])('does not have %s (secrets to the command)', (name, value) => {
    expect(sees(name, value)).toBe(false);
  });

  it('has folders with a drive on Windows', () => {
    expect(sees('JAVA_HOME', 'C:\\hostedtoolcache\\Java', 'win32')).toBe(true);
    expect(sees('Llvm_Path', 'C:\\llvm;D:\\llvm', 'win32')).toBe(true);
    expect(sees('Path', 'C:\\', 'win32')).toBe(true);
    expect(sees('Gh_Token', 'C:\\', 'win32')).toBe(false);
  });

  it('comes with the names that were left out, without those of runner and shell', () => {
    const job = {
      PATH: '/bin',
      GITHUB_TOKEN: 'a',
      INPUT_SECRET: 'b',
      ACTIONS_RUNTIME_TOKEN: 'c',
      STATE_x: 'd',
      PWD: '/x',
      SHLVL: '1',
      STRIPE_KEY: 'e',
      FEATURE_X: 'on',
      GONE: undefined,
    };
    expect(selectCommandEnvironment(job, 'linux').leftOut).toEqual(['FEATURE_X', 'STRIPE_KEY']);
  });
});
