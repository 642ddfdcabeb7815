"""The node agent: the one node of the sandbox's cluster, with local processes in place of containers.

``agent`` ties it together; ``scheduler`` binds pods, ``pods`` and ``pod_worker`` run them, ``claims`` provides volumes,
``services`` forwards cluster addresses, ``kubelet`` serves logs. Pods appear in the API with addresses 10.N.x.y; their
processes listen on 127.N.x.y. Users and groups of a security context are accepted, but every process runs as the
user who started the sandbox.
"""
