module expose-action.test/tun-rig

go 1.25.0
