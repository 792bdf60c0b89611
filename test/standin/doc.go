// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Standin stands in for Flame's three servers and two of its clients, where Flame's own
// images cannot be pulled. Standin is one static program that plays the role it is called
// by (flame-session-manager, flame-executor-manager, flame-object-cache, flmping, flmctl,
// flmping-service), or the one that its first argument names (session-manager,
// executor-manager, object-cache, ping, ctl). A test that passes with it must pass with
// Flame, so it may be harsher than Flame and, but for what is named below, never kinder.
//
// The stand-in's behaviour was learnt from Flame 0.6.0. With FLAME_BIN_DIR naming a
// folder of Flame's own binaries, the tests of this package start those instead, at their
// own pace (root is needed, for a hostname per node): what holds for one has to hold for
// the other.
//
//	fact                                                          test
//	----                                                          ----
//	Keys that Flame does not know are ignored, its own are case-  TestConfigurationsThatEnd-
//	sensitive; what one component cannot parse ends all (exit 1)  EveryComponent, config
//	Sizes are binary, CPUs whole, ports 80 and 443 mean 8080      config
//	Without --config the file is /root/.flame/flame-cluster.yaml  TestNoConfiguration
//	An unknown policy ends the session manager with exit code 0,  TestPolicies
//	and so does a port in use; without gang 0.6.0 makes nothing,  TestPortInUseEndsThe-
//	later versions refuse it (STANDIN_FLAME_VERSION)              SessionManagerWithSuccess
//	Limits on executors are parsed and ignored                    harness (max_executors: 0)
//	A log file, the events folder of the working directory, the   TestDirectories,
//	storage: what cannot be made ends the start                   TestSocketDirectoryIsNeededToBind
//	SQLite's migrations lie in the working directory              TestSQLiteNeedsItsMigrations-
//	                                                              InTheWorkingDirectory
//	RUST_LOG filters, nothing but errors without it; each line    journal, TestTasksRunAnd-
//	goes to stdout and to a file a day                            TheirSessionEnds
//	SIGTERM kills at once, PID 1 is deaf to it                    TestTermination, TestProcess-
//	                                                              OneIsDeafToTermination
//	A node is its hostname; CPUs by the control group's limit,    capacity
//	memory the host's, GPUs by CUDA_VISIBLE_DEVICES
//	An executor manager that is refused at the start ends (1),    TestExecutorManagerIsRefused,
//	one whose packets are swallowed hangs as long as TCP does     TestExecutorManagerIsSwallowed
//	Heartbeats every 5 s, a silent node is given up after 15 s,   TestSilentNodeIsGivenUp
//	NotReady 30 s later, and never forgotten
//	A dead node holds a Void executor that starves its session,   TestDeadNodeStarvesItsSession-
//	after ReleaseNode too; only the fence heals it                UntilItIsFenced
//	Fenced at once, its work moves on at once and what ran on it  TestFenceAtOnceGivesThe-
//	is pending after 30 s, which wakes no executor that waits     WorkToTheNextNode
//	The session manager leaves a node's stream open               TestStreamOfANodeIsLeftOpen
//	The first executor sent after a reconnect is lost             TestFirstExecutorAfterA-
//	                                                              ReconnectIsLost
//	A quick restart under the same name spins on tasks that run   TestQuickRestartUnderThe-
//	forever                                                       SameNameSpins
//	ReleaseNode on an idle live node cordons it                   TestReleasedIdleNodeIsCordoned
//	An executor has its session's size, runs one task at a time   TestExecutorsHaveTheirSessions-
//	in a process of its own, and stays for 60 s without one       Size, TestBoundExecutorWaits-
//	                                                              ForAMinute
//	A running executor that is unbound ends its task and is       TestUnbindWhileATaskRuns-
//	bound again at once                                           LosesNothing
//	A waiting one drops the next task, which comes back with the  TestUnbindOfAWaitingExecutor-
//	next restart                                                  DropsTheNextTask
//	Tasks are numbered from 1 without a gap, lost ones too        TestOperatorNoticesLostTasks
//	Unbound while its pod's hook halts it, and kept from          TestDrainUnderConstantLoad-
//	another instance, it loses and repeats nothing                LosesAndRepeatsNothing
//	An executor without its instance's socket stays Binding, and  TestDrainKeepsAnExecutorThat-
//	can be unregistered at once, its manager gone or not          IsBoundAgainFromTheNextTask
//	Failed bindings are events 1001; after five comes 1002 and    TestFailedBindingsBlock-
//	the session gets nothing more                                 TheirSession
//	Priority blocks all below a session with pending tasks        TestHigherPriorityBlocksLower
//	A closed session's executors vanish, it stays listed; times   TestTasksRunAndTheirSession-
//	are whole seconds in milliseconds                             Ends
//	Status codes; errors about applications in the answer;        TestErrors
//	max_sessions evicts closed sessions from memory only
//	Tasks fail with their message                                 TestTaskFailsWithItsInstance
//	An executor manager that connects again keeps the instances   TestDrainOfAnInstance-
//	that its executors had, until it connects once more           ThatOutlivesItsExecutorEnds
//	After a kill under load all tasks succeed, some twice         TestSessionManagerComesBack-
//	                                                              UnderLoad
//	Nodes come back as they were, without a timer: ghosts         TestNodeThatDiedWithoutA-
//	                                                              SessionManagerIsAGhost
//	What a ghost ran is pending again when it is given up, though TestTaskThatSucceededSince-
//	it has succeeded since, and its session is closed             IsPutBackWithTheGhostThatHadIt
//	Sessions, tasks and their history survive                     TestClosedSessionsAndHistory-
//	                                                              Survive
//	Storage none forgets everything, and a dead node's task runs  TestStorageNoneForgets-
//	forever                                                       Everything
//	The object cache listens on one interface's address only,     TestObjectCache
//	and ends with 1 without that, its block or its directory;
//	its environment overrides how much memory objects may take
//	The client prints flmping's table                             TestClient
//	The lists of flmctl                                           TestLists
//
// Left out: what the object cache serves (it only listens), NVML, profiles,
// SyncNode, JSON schemas, the installation of applications (a binding that needs
// one fails with code 10), applications other than flmping (their command is
// missing, code 11), clients over TLS. The files in the storage are not Flame's,
// under sqlite:// they are no database. Instances speak a protocol of their own.
// An executor whose instance was kept gets one of its own for the next session: Flame finds
// the old one's socket and runs the tasks of the next session there, which fail when it
// goes. Nothing in the operator answers that yet.
// A round of an executor that spins takes 2 ms at least, so that it does not
// spin faster than Flame's.
//
// Added: the client fails if a task did, takes its endpoint from --endpoint or
// FLAME_ENDPOINT without needing a file, and counts executions with
// --count-executions; a task that a restarted session manager hands out again
// gets another Running event, so that these events are its executions, and each
// of them names its node; an input of {"fail":"why"} lets a task fail,
// {"exit":true} takes its instance along.
// STANDIN_TIME_SCALE shortens Flame's constants, STANDIN_HOSTNAME names a host.
package main
