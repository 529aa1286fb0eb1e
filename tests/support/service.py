pass
class Service: pass
