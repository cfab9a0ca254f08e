# node-gyp builds what ships: build/Release/rpftrace.node, and rpftrace-send for the lab. native/CMakeLists.txt builds the
# native tests; both read the core's sources from native/sources.txt and embed the BPF objects that scripts/build-bpf.mjs
# compiles.
{
  'variables': { 'bpf_dir': '<(SHARED_INTERMEDIATE_DIR)/bpf' },
  'targets': [
    {
      'target_name': 'bpf',
      'type': 'none',
      'actions': [
        {
          'action_name': 'build_bpf',
          'inputs': [
            'scripts/build-bpf.mjs',
            'scripts/layout.mjs',
            '<!@(ls native/bpf/*.[ch] native/include/*.h)',
          ],
          'outputs': ['<(bpf_dir)/rpf_bpf_objects.c'],
          'action': ['node', 'scripts/build-bpf.mjs', '<(bpf_dir)'],
          'message': 'Compiling the BPF objects',
        },
      ],
    },
    {
      'target_name': 'rpftrace',
      'dependencies': [
        'bpf',
        "<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except_all",
      ],
      'sources': [
        'native/addon/addon.cc',
        'native/addon/config.cc',
        'native/addon/convert.cc',
        'native/addon/lookup.cc',
        'native/addon/poll_thread.cc',
        'native/addon/survey.cc',
        'native/addon/tracer.cc',
        '<!@(cat native/sources.txt)',
        '<(bpf_dir)/rpf_bpf_objects.c',
      ],
      'include_dirs': ['native/include', 'native/core', 'native/bpf'],
      'defines': ['NAPI_VERSION=8', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', '_GNU_SOURCE'],
      'cflags': ['-Wall', '-Wextra', '-Wtype-limits', '-fvisibility=hidden', '-pthread'],
      'cflags_c': ['-std=c11', '-Werror=implicit-function-declaration'],
      'cflags_cc': ['-std=c++17'],
      'libraries': ['-lbpf', '-lelf', '-lz', '-lmnl', '-lpcap'],
    },
    {
      'target_name': 'rpftrace-send',
      'type': 'executable',
      'sources': ['native/lab/send.c', 'native/lab/frame.c'],
      'cflags': ['-Wall', '-Wextra', '-Wtype-limits'],
      'cflags_c': ['-std=gnu11'],
    },
  ],
}
